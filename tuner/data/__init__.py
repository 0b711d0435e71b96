"""From the images that a user names to pixels in memory: sources, layouts, splits, cache, audit."""
