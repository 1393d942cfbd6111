/* Read by the prebuilt viewer before it starts; everything of ours is in the one module. */
window.config = async (context) => (await import('/ennead/viewer.js')).configure(context);
