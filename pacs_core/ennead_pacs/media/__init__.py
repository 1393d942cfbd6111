"""Media: bringing folders and zip files into the archive."""
