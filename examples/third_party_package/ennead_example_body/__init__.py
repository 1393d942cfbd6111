"""Body volume and mean attenuation on CT: an example of a package of your own."""
