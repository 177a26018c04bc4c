"""Losses: functions of tensors that own nothing."""
