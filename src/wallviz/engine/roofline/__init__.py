"""What bounds a workload on a chip, arithmetic or memory traffic: the time of `engine.work` under the roof, batches, and what was measured."""
