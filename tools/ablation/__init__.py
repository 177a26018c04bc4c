"""The ablation of the paper at short training: what each part of the network contributes."""
