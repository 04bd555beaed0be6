"""What bounds a workload on a chip, arithmetic or memory traffic: operations, their time under the roof, batches, and what was measured."""
