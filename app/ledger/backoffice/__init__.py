"""What the back office reads: queries on the views of schema `ops`, and nothing else."""
