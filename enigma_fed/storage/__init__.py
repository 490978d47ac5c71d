"""Files that survive power cuts: the locked, checksummed JSON file and the folder lock."""
