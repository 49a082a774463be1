"""What a test sees and changes of a deployment, without functions of its own."""
