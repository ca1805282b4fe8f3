"""What the relay does with jobs, through ports; knows no vendor."""
