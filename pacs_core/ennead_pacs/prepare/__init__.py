"""What is prepared once per series and then served as bytes."""
