"""One file for each thing that a person runs or schedules."""
