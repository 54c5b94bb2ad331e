/* Prints a digest of the bytes that each operation of the kernel writes, for .ci/full to compare
   processors that have no Python of their own. */
#include "../../../softmax_cli/core/kernel/kernel.c"

#include <stdio.h>

enum { MOST = 3 * 5000 };

static uint64_t state;

/* A logit from -32 to 32; now and then a masked class. */
static double drawn(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 60 == 15 ? -INFINITY : (double)(state >> 34) / (1 << 24) - 32;
}

/* Writes numbers of a type; float16 and bfloat16 take theirs from the first bits of float32. */
static void fill(array *to, dtype type, size_t rows, size_t classes, int masked) {
  *to = (array){to->data, type, rows, classes};
  for (size_t i = 0; i < rows * classes; i++) {
    double x = i % classes && masked ? drawn() : drawn() / 64 + 0.5;
    if (x == -INFINITY && !masked) x = 0;
    if (i % classes == 0 && x == -INFINITY) x = 1;
    float single = (float)x;
    uint32_t bits;
    memcpy(&bits, &single, 4);
    uint16_t half = type == BFLOAT16 ? (uint16_t)(bits >> 16) : (uint16_t)(0x3c00 + (bits >> 13) % 0x1000);
    if (type == FLOAT64) ((double *)to->data)[i] = x;
    else if (type == FLOAT32) ((float *)to->data)[i] = single;
    else ((uint16_t *)to->data)[i] = half;
  }
}

static uint64_t digest(uint64_t before, const void *data, size_t size) {
  for (size_t i = 0; i < size; i++) before = (before ^ ((const uint8_t *)data)[i]) * 0x100000001b3;
  return before;
}

int main(void) {
  static const size_t SHAPES[][2] = {{1, 1}, {19, 2}, {37, 10}, {17, 128}, {3, 129}, {5, 2048}, {3, 5000}};
  static double a[MOST], b[MOST], out[MOST], first[4 * 64], second[64];
  static int64_t labels[64];
  for (int number = 0; number < (int)(sizeof OPERATIONS / sizeof *OPERATIONS); number++)
    for (dtype type = FLOAT16; type <= FLOAT64; type++)
      for (size_t shape = 0; shape < sizeof SHAPES / sizeof *SHAPES; shape++) {
        size_t rows = SHAPES[shape][0], classes = SHAPES[shape][1];
        int needs = OPERATIONS[number].needs;
        group g = group_at(0, rows, classes);
        softmax_rows *memory = malloc(sizeof *memory + 2 * g.tiles * TILE * sizeof(double));
        job j = {.a = {.data = a}, .out = {.data = out}, .first = first, .second = second};
        if (!memory) return 1;
        memory->e = (double *)(memory + 1), memory->e_rest = memory->e + g.tiles * TILE;
        /* What compiled.py gives for T = 1. */
        j.n = (numbers){1, 0x1.71547652b82fep+0, 0x1.62e42ffp-1, -0x1.718432a1b0e26p-35, 0x1.5db1583be0f96p+10,
                        1000, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, 0, 0, 1};
        state = (uint64_t)number * 100 + shape;
        fill(&j.a, type, rows, classes, 1);
        j.out = (array){out, type, rows, classes};
        if (needs & B) {
          j.b.data = b, j.n.reach = 0x1.070ca287df871p+10, j.n.raise = 500, j.n.product = 1;
          fill(&j.b, type, rows, classes, 0);
        }
        for (size_t row = 0; row < rows; row++) {
          labels[row] = (int64_t)(row * 7 % classes);
          /* Its loss is not finite, and written by Python. */
          if (number_at(&j.a, row, row * 7 % classes) == -INFINITY) labels[row] = 0;
        }
        if (needs & LABELS) j.labels = labels;
        memset(out, 0, sizeof out), memset(first, 0, sizeof first), memset(second, 0, sizeof second);
        OPERATIONS[number].run(&j, memory);
        uint64_t found = digest(0xcbf29ce484222325, out, rows * classes * SIZE[type]);
        found = digest(digest(found, first, sizeof first), second, sizeof second);
        printf("%d %d %zux%zu %016llx\n", number, (int)type, rows, classes, (unsigned long long)found);
        free(memory);
      }
  return 0;
}
