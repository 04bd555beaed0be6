"""What is computed: models, memory, work, time, advice, growth. Plain functions and frozen dataclasses; no file, no text for a page, no pixel."""
