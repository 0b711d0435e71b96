"""Images in classes as the user has them: folders, archives, tables and arrays, listed with their labels."""
