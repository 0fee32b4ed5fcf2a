"""What leaves the library: a record as a file, many as a zip, a link for others."""
