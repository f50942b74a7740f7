"""What happens in a game: each scene is one event, from its first bet to its last settlement."""
