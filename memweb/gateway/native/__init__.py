"""The providers' own paths, so that their official clients work by base URL alone."""
