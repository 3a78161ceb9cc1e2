"""What benches/side-by-side is made of."""
