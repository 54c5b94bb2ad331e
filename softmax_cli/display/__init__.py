"""What people see, as data that no renderer has touched yet."""
