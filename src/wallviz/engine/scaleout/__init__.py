"""Many chips, one conversation: what they send each other, how long that takes, and how much of each step is spent waiting for it.

`collectives` knows what each operation sends, `volumes` what each kind of parallelism asks of them, `fabric` the links inside and across nodes;
`chip` says how long one takes for its part of `engine.work`, `traffic` what a model's layers send;
`step` adds compute, communication and the pipeline's bubble up, `scaling` follows them as chips grow (the best split: `engine.advice.splits`),
`budget` makes days, energy and money of a step, `critical` says from which batch on chips pay. `alpha_beta` fits
measured sweeps, `decode` splits serving over chips, `scaling_laws` say how large a model a budget trains and what it costs.
`job` asks all of it of one job: training (`training_job`) or serving (`serving_job`).
"""
