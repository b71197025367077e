"""Ask: policies over claims, written in a small language, compiled to slots and shown in words."""
