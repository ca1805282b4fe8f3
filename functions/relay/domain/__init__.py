"""What a job is and what may happen to it; knows nothing of Google, HTTP or clocks."""
