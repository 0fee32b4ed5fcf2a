"""A recording becomes text: at a gateway, a second time, told apart by voices, folded into a version."""
