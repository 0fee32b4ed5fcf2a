"""What pages show: rows, paragraphs, words for states, places to go on from."""
