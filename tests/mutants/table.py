"""All cases."""

from __future__ import annotations

from tests.mutants.file_cases import FILE_CASES
from tests.mutants.function_cases import FUNCTION_CASES
from tests.mutants.loss_cases import LOSS_CASES
from tests.mutants.option_cases import ARE_TAKEN, OPTION_CASES
from tests.mutants.product_file_cases import PRODUCT_FILE_CASES

EVERY_CASE = [*FUNCTION_CASES, *LOSS_CASES, *FILE_CASES, *PRODUCT_FILE_CASES, *OPTION_CASES]
# Those that gradcheck can be asked for.
CASES = [case for case in EVERY_CASE if ARE_TAKEN or case not in OPTION_CASES]
