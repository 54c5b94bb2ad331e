/* Prints a digest of what each operation of the kernel makes of numbers that are made here, with no
   Python: where the digests are the same, so are the bytes. */

#include "../../../softmax_cli/core/kernel/kernel.c"

#include <stdio.h>

enum { ROWS = 19, MOST = 5000 };
static const size_t CLASSES[] = {1, 2, 3, 10, 128, 129, 1000, 2049, MOST};
static const double TEMPERATURES[] = {1, 0.3, 8};
static const pair ONE = {1, 0}, LN_2 = {0.6931471805599453, 2.3190468138462996e-17};
static double wide[3][ROWS * MOST], narrow[4][ROWS * MOST], columns[2][4 * ROWS];

/* A number from -1 to 1, by a linear congruence and its mixing. */
static double number(uint64_t seed) {
  for (int k = 0; k < 3; k++) seed = (seed ^ (seed >> 29)) * 0x9e3779b97f4a7c15;
  return (double)(int64_t)(seed >> 10) * 0x1p-53 - 1;
}

/* What Python makes of a temperature; its last digits do not matter here. */
static numbers numbers_of(double T, double raise, double product) {
  pair step = times((pair){T, 0}, LN_2), over_T = over(ONE, (pair){T, 0});
  double head = of_bits(bits_of(step.high) & ~(uint64_t)0x1fffff);
  return (numbers){T, over(ONE, step).high, head, (step.high - head) + step.low,
                   (1018 + raise) * step.high, raise, over_T, LN_2, over(ONE, LN_2),
                   over(ONE, step), {1.25, 0x1p-55}, 3, product,
                   0x1p-10, 0x1p-20, 0.3};
}

/* FNV-1a */
static void digest_of(const void *from, size_t bytes, uint64_t *digest) {
  const unsigned char *byte = from;
  for (size_t i = 0; i < bytes; i++) *digest = (*digest ^ byte[i]) * 0x100000001b3;
}

static void fill(dtype type, size_t classes) {
  int64_t *labels = (int64_t *)columns[1];
  for (size_t row = 0, i = 0; row < ROWS; row++) {
    columns[0][row] = row == 1 ? 0 : 1.5 + number(row), columns[0][ROWS + row] = 0x1p-60;
    labels[row] = (int64_t)((row * 7) % classes);
    for (size_t k = 0; k < classes; k++, i++) {
      wide[0][i] = number(i) * power_of_2((int64_t)(row % 9) - 1) + (row == 4 ? 4096 : 0);
      if (row == 2 && k % 2) wide[0][i] = -INFINITY;
      if (row == 5 || row == 10) wide[0][i] = row == 5 ? 3 : -INFINITY;
      if (row == 7 || row == 8) wide[0][i] = k * 2 < classes ? 1 : row == 7 ? INFINITY : NAN;
      wide[1][i] = row == 11 && k > 0 ? 0 : number(i + 1000000);
      wide[2][i] = number(i + 2000000) * 0x1p-60;
    }
  }
  for (int k = 0; k < 3; k++) write_numbers(wide[k], narrow[k], type, ROWS * classes);
}

/* Runs an operation in one of its ways: with weights or not, into numbers of a type. */
static void run(size_t operation, int way, dtype type, size_t classes, double T, uint64_t *digest) {
  static double first[ERRORS * ROWS], second[ROWS], tolerances[3 * ROWS];
  static double memory[sizeof(softmax_rows) / 8 + 4 * (MOST + TILE)];
  softmax_rows *rows = (softmax_rows *)memory;
  job j = {.a = {narrow[0], type, ROWS, classes}, .b = {narrow[1], type, ROWS, classes}};
  int needs = OPERATIONS[operation].needs;
  j.rest = (array){way ? narrow[2] : NULL, type, ROWS, classes};
  j.out = (array){narrow[3], way % 2 ? FLOAT64 : type, ROWS, classes};
  if (way) j.scales = columns[0], j.scale_rests = columns[0] + ROWS;
  if (way != 2 || needs & (CLAIMED | NOT_SOFT)) j.labels = (const int64_t *)columns[1];
  else if (!(needs & OUT)) j.out.data = NULL;
  if (needs & CLAIMED) {
    for (size_t i = 0; i < 3 * ROWS; i++) tolerances[i] = (1 + number(i)) * 0x1p-20;
    j.claimed = j.b, j.tolerances = tolerances;
  }
  double raise = needs & B ? 500 : needs & NOT_SOFT || OPERATIONS[operation].width == 4 ? 0 : 1000;
  j.first = first, j.second = second, j.n = numbers_of(T, raise, needs & B ? way : 0);
  memset(first, 0, sizeof first), memset(second, 0, sizeof second);
  rows->e = memory + sizeof(softmax_rows) / 8, rows->e_rest = rows->e + MOST + TILE;
  OPERATIONS[operation].run(&j, rows);
  if (j.out.data) digest_of(narrow[3], ROWS * classes * SIZE[j.out.type], digest);
  digest_of(first, sizeof first, digest), digest_of(second, sizeof second, digest);
}

int main(void) {
  for (size_t operation = 0; operation < sizeof OPERATIONS / sizeof *OPERATIONS; operation++)
    for (int type = FLOAT16; type <= FLOAT64; type++) {
      uint64_t digest = 0xcbf29ce484222325;
      for (size_t k = 0; k < sizeof CLASSES / sizeof *CLASSES; k++)
        for (int way = 0; way < 9; way++) {
          fill((dtype)type, CLASSES[k]);
          run(operation, way % 3, (dtype)type, CLASSES[k], TEMPERATURES[way / 3], &digest);
        }
      printf("%zu %d %016llx\n", operation, type, (unsigned long long)digest);
    }
  int64_t words[WORDS] = {0};
  uint64_t digest = 0xcbf29ce484222325;
  exact_sum(wide[1], ROWS * MOST, words);
  digest_of(words, sizeof words, &digest);
  printf("%016llx\n", (unsigned long long)digest);
  return 0;
}
