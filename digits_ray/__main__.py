"""`python -m digits_ray` is `digits-ray`."""

from digits_ray.cli.main import main

if __name__ == "__main__":
    main()
