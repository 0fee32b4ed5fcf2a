"""Files a person gives: what is asked for with them, how they stand, how they become recordings."""
