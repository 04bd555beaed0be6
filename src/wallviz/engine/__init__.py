"""What is computed: models, memory, work, time, growth. Plain functions and frozen dataclasses; no file, no text for a page, no pixel."""
