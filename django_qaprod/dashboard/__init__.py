"""What the pages show: queries put into words, charts and context, without any knowledge of who may look."""
