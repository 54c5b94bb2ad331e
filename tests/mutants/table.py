"""All cases."""

from __future__ import annotations

from tests.mutants.file_cases import FILE_CASES
from tests.mutants.function_cases import FUNCTION_CASES
from tests.mutants.loss_cases import LOSS_CASES
from tests.mutants.option_cases import OPTION_CASES
from tests.mutants.product_file_cases import PRODUCT_FILE_CASES

CASES = [*FUNCTION_CASES, *LOSS_CASES, *FILE_CASES, *PRODUCT_FILE_CASES, *OPTION_CASES]
