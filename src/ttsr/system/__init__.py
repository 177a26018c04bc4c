"""The ground floor: devices, precision, memory, files, processes. Imports nothing of ttsr but its errors."""
