"""Vacancies, schools, and teachers' applications to them."""
