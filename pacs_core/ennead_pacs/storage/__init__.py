"""Objects as files: slots, the writer, the structural pre-scan, the startup sweep."""
