"""DIMSE services: C-ECHO, C-STORE, C-FIND and C-GET as SCP (PS3.4, PS3.7, PS3.8)."""
