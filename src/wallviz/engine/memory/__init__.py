"""Where the bytes go: training, fine-tuning and inference, one idea a file."""
