"""What people look at on screens and by the API: queries only, each scoped to who looks.

They take a cursor and know nothing of HTTP.
"""
