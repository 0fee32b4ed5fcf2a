"""What a person changes in a text, and how each change is kept, carried over and taken back."""
