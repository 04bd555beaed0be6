"""What a GPU holds beside the tensors of a run: terms with a cause, never a flat percentage."""

#: CUDA context of one process: about 0.3 GB on A100 to B200. An estimate.
CONTEXT_BYTES = 0.3e9
#: One NCCL communicator, 0.5 to 0.7 GB (NVIDIA/nccl issue 964). An estimate.
COMMUNICATOR_BYTES = 0.6e9
#: Reserved over allocated: mean of the three published pairs 1.065, 1.030, 1.079 (SimuMax, B200).
RESERVED_RATIO = 1.058
