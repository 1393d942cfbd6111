"""What tests of the platform and of packages need: fixtures, servers, phantoms."""
