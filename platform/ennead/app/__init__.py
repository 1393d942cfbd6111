"""The web application and the launcher that supervises every process."""
