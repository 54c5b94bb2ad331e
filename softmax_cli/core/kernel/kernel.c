/* The compiled kernel: softmax, its products, losses and gradients of rows of numbers.

   Every result has the same bytes on every processor: the exponential and the logarithm are here, a
   sum has one order whatever the width of a vector, and nothing is contracted to fused operations.
   Loops are plain C that compilers turn into vector code. Only the last part knows Python. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "double has more digits here than in memory"
#endif

#if defined(_MSC_VER)
#define INLINE static __forceinline
#pragma fp_contract(off)
#else
#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif
#endif

#ifdef KERNEL_CLONES
#define VECTORIZED __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define VECTORIZED
#endif

/* Numbers are computed LANES at a time. A row of many classes lies across the lanes, and is summed
   in as many parts; of rows with few classes, each lane takes one. A tile holds what a group of
   rows, or a part of a long one, has in double precision. */
enum { LANES = 16, FEW = 128, TILE = 2048 };

typedef enum { FLOAT16, BFLOAT16, FLOAT32, FLOAT64 } dtype;
static const size_t SIZE[] = {2, 2, 4, 8};

typedef struct {
  void *data;
  dtype type;
  size_t rows, classes;
} array;

/* Rows that are computed together: one of many classes, or up to LANES of few. */
typedef struct {
  size_t row, rows, classes, tiles, steps;
  int few;
} group;

/* A number as a double and the rest of it; one for each lane. */
typedef struct {
  double high, low;
} pair;

typedef struct {
  double high[LANES], low[LANES];
} pairs;

/* The numbers of a call, as Python gives them.

   exp(a / T) takes 1 / (T ln 2), T ln 2 as a step of 32 bits and the rest, 1 / T, and the distance
   from the largest logit where exponentials are 0. Exponents are raised, so that small probabilities
   keep their digits. Losses are in units of log(base); a result is divided by divisor 2^-power.
   Claimed gradients may be off by rtol, and by so many units of their terms Y of_terms. */
typedef struct {
  double T, over_step, step, step_rest, reach, raise;
  pair over_T, unit, over_unit, over_T_unit, divisor;
  double power, product, rtol, units, of_terms;
} numbers;

/* A call: arrays with a number for each class of a row, and columns with one for each row.

   a         logits
   b, rest   targets Y with their rounding errors, or vectors, or one for all rows; or nothing
   out       the results; may be the logits
   labels    in place of targets
   tops      the likeliest classes, or nothing
   scales    of the rows, with their rests; or nothing
   claimed   gradients to compare in place of writing results, with tolerances of each row:
             of any entry, how much of the entry and its terms, and the least one */
typedef struct {
  array a, b, rest, out, claimed;
  const int64_t *labels, *tops;
  const double *scales, *scale_rests, *tolerances;
  double *first, *second;
  numbers n;
} job;

/* ---- Numbers ---- */

INLINE uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, 8);
  return bits;
}

INLINE double of_bits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, 8);
  return x;
}

/* a where the mask is all ones, b where it is 0. */
INLINE double chosen(uint64_t mask, double a, double b) {
  return of_bits((bits_of(a) & mask) | (bits_of(b) & ~mask));
}

/* The number; NaN with one sign, whichever a processor gives it. */
INLINE double plain(double x) { return x == x ? x : (double)NAN; }

/* 2^power, for powers of normal numbers. */
INLINE double power_of_2(int64_t power) { return of_bits((uint64_t)(power + 1023) << 52); }

/* The n of 2^n <= |x| < 2^(n + 1), for normal numbers. */
INLINE int64_t exponent_of(double x) { return (int64_t)(bits_of(x) >> 52 & 0x7ff) - 1023; }

/* Knuth 1969. */
INLINE pair two_sum(double a, double b) {
  double sum = a + b, of_b = sum - a;
  return (pair){sum, (a - (sum - of_b)) + (b - of_b)};
}

/* Where |a| >= |b| (Dekker 1971). */
INLINE pair fast_two_sum(double a, double b) {
  double sum = a + b;
  return (pair){sum, b - (sum - a)};
}

/* The first 26 bits. */
INLINE double head_of(double x) { return of_bits(bits_of(x) & ~(uint64_t)0x7ffffff); }

/* a b and its rounding error (Dekker 1971). */
INLINE pair two_product(double a, double b) {
  double product = a * b, a1 = head_of(a), b1 = head_of(b), a2 = a - a1, b2 = b - b1;
  return (pair){product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2};
}

INLINE pair at(const pairs *from, size_t lane) {
  return (pair){from->high[lane], from->low[lane]};
}

INLINE void put(pairs *to, size_t lane, pair x) { to->high[lane] = x.high, to->low[lane] = x.low; }

INLINE pair plus(pair a, pair b) {
  pair sum = two_sum(a.high, b.high);
  return fast_two_sum(sum.high, sum.low + (a.low + b.low));
}

INLINE pair minus(pair a, pair b) { return plus(a, (pair){-b.high, -b.low}); }

INLINE pair times(pair a, pair b) {
  pair product = two_product(a.high, b.high);
  return fast_two_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

INLINE pair over(pair a, pair b) {
  double quotient = a.high / b.high;
  pair back = two_product(quotient, b.high);
  double left = ((a.high - back.high) - back.low) + (a.low - quotient * b.low);
  return fast_two_sum(quotient, left / b.high);
}

/* log(1 + z) for z >= 0, with z = 2^k (1 + s) - 1 and s from -0.3 to 0.42:
   log(1 + s) = s - (s^2/2 - w (s^2/2 + R(w^2))), w = s / (2 + s), to 0.6 ULP (as in fdlibm). */
INLINE double log1p_of(pair z) {
  pair u = fast_two_sum(z.high > 1 ? z.high : 1, z.high > 1 ? 1 : z.high);
  double low = u.low + z.low;
  /* 2^k is the power of two that makes u / 2^k at most sqrt(2). */
  int64_t k = (int64_t)((bits_of(u.high) - bits_of(0.70710678118654757)) >> 52);
  double down = power_of_2(-k), s = (u.high * down - 1) + low * down;
  double rest = ((u.high * down - 1) - s) + low * down;
  double w = s / (2 + s), half = 0.5 * s * s, x = w * w;
  double R = 0.15313832079987474 + x * 0.14798259708374842;
  R = 0.2222219842892597 + x * (0.18183572357956357 + x * R);
  R = x * (0.6666666666666735 + x * (0.3999999999940935 + x * (0.2857142874368692 + x * R)));
  double ln = half - (w * (half + R) + rest / (1 + s));
  double n = (double)(int32_t)k;
  return n * 0.693147180369123816490 - ((ln - n * 1.90821492927058770002e-10) - s);
}

/* ---- Numbers in memory ---- */

INLINE double of_float16(uint16_t half) {
  uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13, bits;
  float x;
  memcpy(&x, &magnitude, 4);
  double value = (double)x * 5192296858534827628530496329220096.0; /* 2^112 */
  bits = magnitude | 0x7f800000;
  memcpy(&x, &bits, 4);
  value = magnitude >= (uint32_t)0x7c00 << 13 ? (double)x : value;
  return half & 0x8000 ? -value : value;
}

INLINE double of_bfloat16(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, 4);
  return (double)x;
}

/* The nearest number with `digits` bits and exponents from `least` on, ties to even. */
INLINE double rounded(double x, int digits, int64_t least) {
  int64_t exponent = exponent_of(x);
  exponent = exponent < least ? least : exponent;
  double grid = 1.5 * power_of_2(exponent + 53 - digits);
  double result = (x + grid) - grid;
  return exponent == 1024 ? x : copysign(result, x);
}

INLINE uint32_t float_bits(double x) {
  float narrow = (float)x;
  uint32_t bits;
  memcpy(&bits, &narrow, 4);
  return bits;
}

INLINE uint16_t to_bfloat16(double x) { return (uint16_t)(float_bits(rounded(x, 8, -126)) >> 16); }

INLINE uint16_t to_float16(double x) {
  double y = rounded(x, 11, -14);
  uint16_t sign = (uint16_t)(float_bits(y) >> 16 & 0x8000);
  double size = fabs(y);
  uint16_t bits = (uint16_t)(float_bits(size * 1.92592994438723585305597794258492732e-34) >> 13);
  bits = size >= 65536 ? 0x7c00 : bits;
  return (uint16_t)(sign | (size != size ? 0x7e00 : bits));
}

INLINE void read_numbers(const void *from, dtype type, size_t count, double *to) {
  if (type == FLOAT64) memcpy(to, from, count * 8);
  else if (type == FLOAT32)
    for (size_t i = 0; i < count; i++) to[i] = ((const float *)from)[i];
  else if (type == FLOAT16)
    for (size_t i = 0; i < count; i++) to[i] = of_float16(((const uint16_t *)from)[i]);
  else
    for (size_t i = 0; i < count; i++) to[i] = of_bfloat16(((const uint16_t *)from)[i]);
}

INLINE void write_numbers(const double *from, void *to, dtype type, size_t count) {
  if (type == FLOAT64) memcpy(to, from, count * 8);
  else if (type == FLOAT32)
    for (size_t i = 0; i < count; i++) ((float *)to)[i] = (float)from[i];
  else if (type == FLOAT16)
    for (size_t i = 0; i < count; i++) ((uint16_t *)to)[i] = to_float16(from[i]);
  else
    for (size_t i = 0; i < count; i++) ((uint16_t *)to)[i] = to_bfloat16(from[i]);
}

/* ---- Groups of rows, tile by tile ---- */

INLINE group group_at(size_t row, size_t rows, size_t classes) {
  group g = {row, 1, classes, (classes + TILE - 1) / TILE, 0, classes <= FEW};
  if (g.few) g.rows = rows - row < LANES ? rows - row : LANES;
  g.steps = g.few ? classes : (classes + LANES - 1) / LANES;
  return g;
}

/* The row of a lane; lanes without one repeat the first. */
INLINE size_t row_of(const group *g, size_t lane) { return g->row + (lane < g->rows ? lane : 0); }

INLINE size_t steps_of(const group *g, size_t tile) {
  size_t done = tile * (TILE / LANES);
  return g->steps - done < TILE / LANES ? g->steps - done : TILE / LANES;
}

/* The numbers of a tile, filled up with `padding`. A single row stands for all. */
INLINE void read_tile(const array *a, const group *g, size_t tile, double padding, double *x) {
  double row[TILE];
  size_t steps = steps_of(g, tile), stride = a->rows > 1 ? g->classes : 0;
  const char *from = (char *)a->data + (g->row * stride + tile * TILE) * SIZE[a->type];
  if (!g->few) {
    size_t left = g->classes - tile * TILE, count = left < TILE ? left : TILE;
    read_numbers(from, a->type, count, x);
    for (size_t i = count; i < steps * LANES; i++) x[i] = padding;
    return;
  }
  size_t count = (stride ? g->rows : 1) * g->classes;
  read_numbers(from, a->type, count, row);
  for (size_t i = count; i < LANES * stride; i++) row[i] = padding;
  /* Four at a time, which takes half the time of one. */
  for (size_t k = 0; k < steps; k++)
    for (size_t l = 0; l < LANES; l += 4) {
      const double *of = row + l * stride + k;
      double x0 = of[0], x1 = of[stride], x2 = of[2 * stride], x3 = of[3 * stride];
      double *to = x + k * LANES + l;
      to[0] = x0, to[1] = x1, to[2] = x2, to[3] = x3;
    }
}

INLINE void write_tile(const double *y, const array *out, const group *g, size_t tile) {
  double row[TILE];
  size_t first = g->row * g->classes + tile * TILE;
  char *to = (char *)out->data + first * SIZE[out->type];
  if (!g->few) {
    size_t left = g->classes - tile * TILE;
    write_numbers(y, to, out->type, left < TILE ? left : TILE);
    return;
  }
  for (size_t l = 0; l < g->rows; l++)
    for (size_t k = 0; k < g->classes; k++) row[l * g->classes + k] = y[k * LANES + l];
  write_numbers(row, to, out->type, g->rows * g->classes);
}

INLINE double number_at(const array *a, size_t row, size_t class) {
  double x;
  size_t place = (a->rows > 1 ? row * a->classes : 0) + class;
  read_numbers((char *)a->data + place * SIZE[a->type], a->type, 1, &x);
  return x;
}

/* Where the number of a class of the lane's row lies in a tile; TILE if it lies in another. */
INLINE size_t place_of(const group *g, size_t tile, size_t lane, size_t class) {
  if (g->few) return class * LANES + lane;
  return class / TILE == tile ? class % TILE : TILE;
}

/* ---- Steps over a tile ---- */

/* A loop that is unrolled is not turned into vector code. */
#if defined(__GNUC__) && !defined(__clang__)
#define ROLLED _Pragma("GCC unroll 1")
#else
#define ROLLED
#endif
#define FOR_LANES ROLLED for (size_t l = 0; l < LANES; l++)
#define FOR_TILE \
  for (size_t k = 0; k < steps; k++) \
    ROLLED for (size_t l = 0, i = k * LANES; l < LANES; l++, i++)

/* Each lane's largest number, the first of equal ones, and its step; a NaN is larger than all. */
INLINE void largest_in(const double *restrict x, size_t steps, double first,
                       double *restrict m, double *restrict at) {
  FOR_TILE {
    uint64_t larger = -(uint64_t)(!(x[i] <= m[l]) & (m[l] == m[l]));
    at[l] = chosen(larger, first + (double)(int32_t)k, at[l]);
    m[l] = chosen(larger, x[i], m[l]);
  }
}

/* Where exponents of a row begin. Logits near 0 need no shift; where they are shifted by the
   largest, all that matter are within a factor of two of it, and their differences are exact. */
typedef struct {
  double least[LANES], shift[LANES];
  uint64_t raise[LANES];
} origins;

#define WHOLE 6755399441055744.0 /* 1.5 2^52: a sum with it is a whole number. */

INLINE void set_origins(origins *o, const double *largest, const numbers *n) {
  FOR_LANES {
    double m = largest[l];
    o->least[l] = m - n->reach;
    o->shift[l] = fabs(m) >= 2 * n->reach ? m : 0;
    double steps = (m - o->shift[l]) * n->over_step + WHOLE;
    o->raise[l] = bits_of(WHOLE + 1023 + n->raise) - bits_of(steps);
  }
}

/* exp(a / T) of a tile, times a power of two that makes the largest of a row about 2^raise, as e
   and, where `exact`, its rest, to 2^-56. What is too far from the largest gets 0.

   exp(a / T) = 2^n exp(r), n = round(a / (T ln 2)), and exp(r) is a polynomial of degree 11. */
INLINE void exponentials(const double *restrict x, size_t steps, const origins *restrict o,
                         const numbers *restrict T, int exact, double *restrict e,
                         double *restrict e_rest) {
  FOR_TILE {
    double a = (x[i] > o->least[l] ? x[i] : o->least[l]) - o->shift[l];
    double whole = a * T->over_step + WHOLE, n = whole - WHOLE;
    double r0 = a - n * T->step, r1 = n * T->step_rest, r = r0 - r1, low = (r0 - r) - r1;
    low = low * T->over_T.high + r * T->over_T.low;
    r = r * T->over_T.high;
    double z = r * r;
    double p0 = 0.5000000000000011 + r * 0.16666666666666413;
    double p1 = 0.041666666666530155 + r * 0.008333333333494461;
    double p2 = 0.0013888888943630134 + r * 0.00019841269506578723;
    double p3 = 2.480149309888739e-05 + r * 2.755758637378518e-06;
    double p4 = 2.763024838532302e-07 + r * 2.500006162553128e-08;
    double p = (p0 + z * p1) + (z * z) * (p2 + z * (p3 + z * p4));
    double power = of_bits((bits_of(whole) + o->raise[l]) << 52);
    power = x[i] < o->least[l] ? 0 : power;
    if (exact) {
      pair s = fast_two_sum(r, z * p + low), sum = fast_two_sum(1, s.high);
      e[i] = sum.high * power;
      e_rest[i] = (sum.low + s.low) * power;
    } else
      e[i] = (1 + (r + z * p)) * power;
  }
}

/* Adds terms and, where `exact`, their rests to the sums of the lanes. */
INLINE void add(pairs *restrict sums, const double *restrict terms,
                const double *restrict rests, int exact, size_t steps) {
  FOR_TILE {
    pair sum = two_sum(sums->high[l], terms[i]);
    sums->high[l] = sum.high;
    sums->low[l] += exact ? sum.low + rests[i] : sum.low;
  }
}

/* The sum of each row, once all is added; of a row across the lanes, the same in each. */
INLINE void join(const group *g, pairs *sums) {
  for (size_t half = LANES / 2; half > 0 && !g->few; half /= 2)
    for (size_t l = 0; l < half; l++) {
      pair sum = two_sum(sums->high[l], sums->high[l + half]);
      sums->high[l] = sum.high;
      sums->low[l] = sum.low + (sums->low[l] + sums->low[l + half]);
    }
  for (size_t l = 1; l < LANES && !g->few; l++) put(sums, l, at(sums, 0));
  FOR_LANES put(sums, l, fast_two_sum(sums->high[l], sums->low[l]));
}

/* ---- Rows as exponentials ---- */

/* The rows of a group: the exponentials e + e_rest of all tiles, times a power of two; the largest
   logit, its class and its exponential; the sum of those of the other classes, and of all. The
   largest logit of a row without a softmax is not finite. */
typedef struct {
  group g;
  double *e, *e_rest, x[TILE], largest[LANES];
  size_t top[LANES];
  pairs of_top, others, total;
} softmax_rows;

#define FOR_GROUPS(rows, a) \
  for (size_t row = 0; row < (a).rows && begin(rows, row, &(a)); row += (rows)->g.rows)
#define FOR_TILES(rows) \
  for (size_t tile = 0, steps; tile < (rows)->g.tiles && (steps = steps_of(&(rows)->g, tile)); tile++)

INLINE int begin(softmax_rows *rows, size_t row, const array *a) {
  rows->g = group_at(row, a->rows, a->classes);
  return 1;
}

INLINE int has_softmax(const softmax_rows *rows, size_t lane) {
  return fabs(rows->largest[lane]) <= DBL_MAX;
}

INLINE void find_largest(softmax_rows *rows, const array *a) {
  const group *g = &rows->g;
  double at[LANES];
  FOR_LANES rows->largest[l] = -INFINITY, at[l] = 0;
  FOR_TILES(rows) {
    read_tile(a, g, tile, -INFINITY, rows->x);
    largest_in(rows->x, steps, (double)(tile * (TILE / LANES)), rows->largest, at);
  }
  if (!g->few) {
    FOR_LANES at[l] = at[l] * LANES + (double)(int32_t)l;
    for (size_t half = LANES / 2; half > 0; half /= 2)
      for (size_t l = 0; l < half; l++) {
        double m = rows->largest[l], other = rows->largest[l + half];
        int is_larger = (m == m) & !(other <= m);
        int is_equal = (other == m) | ((other != other) & (m != m));
        uint64_t mask = -(uint64_t)(is_larger | (is_equal & (at[l + half] < at[l])));
        rows->largest[l] = chosen(mask, other, m);
        at[l] = chosen(mask, at[l + half], at[l]);
      }
    for (size_t l = 1; l < LANES; l++) rows->largest[l] = rows->largest[0], at[l] = at[0];
  }
  FOR_LANES rows->top[l] = (size_t)(bits_of(at[l] + WHOLE) - bits_of(WHOLE));
}

/* The same as `find_largest`, where the likeliest classes of all rows are known. */
INLINE void take_largest(softmax_rows *rows, const array *a, const int64_t *tops) {
  const group *g = &rows->g;
  if (g->tiles == 1) read_tile(a, g, 0, -INFINITY, rows->x);
  for (size_t l = 0; l < LANES; l++) {
    size_t row = row_of(g, l);
    rows->top[l] = (size_t)tops[row], rows->largest[l] = number_at(a, row, rows->top[l]);
  }
}

/* Puts a number in the place of each lane's likeliest class, if that lies in the tile. */
INLINE void put_at_top(const softmax_rows *rows, size_t tile, const double *numbers, double *x) {
  for (size_t l = 0; l < (rows->g.few ? LANES : 1); l++) {
    size_t place = place_of(&rows->g, tile, l, rows->top[l]);
    if (place < TILE) x[place] = numbers[l];
  }
}

static const double ZEROS[LANES];

/* Puts 0 there, and keeps what was there. */
INLINE void take_at_top(const softmax_rows *rows, size_t tile, double *x, double *kept) {
  for (size_t l = 0; l < LANES; l++) {
    size_t place = place_of(&rows->g, tile, l, rows->top[l]);
    if (place < TILE) kept[l] = x[place];
  }
  put_at_top(rows, tile, ZEROS, x);
}

INLINE void take_exponentials(softmax_rows *rows, const job *j, int exact) {
  const group *g = &rows->g;
  origins o;
  if (j->tops) take_largest(rows, &j->a, j->tops);
  else find_largest(rows, &j->a);
  set_origins(&o, rows->largest, &j->n);
  rows->of_top = rows->others = (pairs){{0}, {0}};
  FOR_TILES(rows) {
    double *e = rows->e + tile * TILE, *rest = rows->e_rest + tile * TILE;
    if (g->tiles > 1) read_tile(&j->a, g, tile, -INFINITY, rows->x);
    exponentials(rows->x, steps, &o, &j->n, exact, e, rest);
    take_at_top(rows, tile, e, rows->of_top.high);
    if (exact) take_at_top(rows, tile, rest, rows->of_top.low);
    add(&rows->others, e, rest, exact, steps);
    put_at_top(rows, tile, rows->of_top.high, e);
    if (exact) put_at_top(rows, tile, rows->of_top.low, rest);
  }
  join(g, &rows->others);
  FOR_LANES put(&rows->total, l, plus(at(&rows->of_top, l), at(&rows->others, l)));
}

/* A factor of the exponentials of each lane: the number, its first 26 bits and their rest, and a
   power of two, in two parts, as it may be no number. */
typedef struct {
  double whole[LANES], head[LANES], rest[LANES], power[LANES], power_2[LANES];
} factors;

INLINE void set_factor(factors *f, size_t lane, pair factor, int64_t power) {
  /* Below are subnormal results, and 0. */
  if (power < -2044) {
    factor = (pair){factor.high * 0x1p-100, factor.low * 0x1p-100};
    power = power < -2144 ? -2044 : power + 100;
  }
  f->whole[lane] = factor.high, f->head[lane] = head_of(factor.high);
  f->rest[lane] = (factor.high - f->head[lane]) + factor.low;
  f->power[lane] = power_of_2(power / 2), f->power_2[lane] = power_of_2(power - power / 2);
}

/* The factors scale / (sum of the exponentials * divisor) * 2^power; the divisor is from 1 to 2. */
INLINE void set_factors(factors *f, const softmax_rows *rows, const pairs *scales, pair divisor,
                        double power) {
  FOR_LANES {
    int64_t of_total = exponent_of(rows->total.high[l]), of_scale = exponent_of(scales->high[l]);
    pair total = times(at(&rows->total, l), (pair){power_of_2(-of_total), 0});
    pair scale = times(at(scales, l), (pair){power_of_2(-of_scale), 0});
    set_factor(f, l, over(scale, times(total, divisor)), of_scale - of_total + (int64_t)power);
  }
}

/* A number e + rest times the factor without its power of two, where `exact` rounded once. */
INLINE double times_factor(double e, double rest, const factors *f, int exact, size_t l) {
  double head = head_of(e);
  return exact ? head * f->head[l] + (head * f->rest[l] + ((e - head) + rest) * f->whole[l])
               : e * f->whole[l];
}

INLINE double with_power(double y, const factors *f, size_t l) {
  return y * f->power[l] * f->power_2[l];
}

static const pairs ONES = {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {0}};

/* softmax / divisor 2^power */
INLINE void softmax_of(const job *j, int exact, softmax_rows *rows) {
  double y[TILE];
  factors f;
  FOR_GROUPS(rows, j->a) {
    take_exponentials(rows, j, exact);
    set_factors(&f, rows, &ONES, j->n.divisor, j->n.power);
    FOR_TILES(rows) {
      const double *e = rows->e + tile * TILE, *rest = rows->e_rest + tile * TILE;
      FOR_TILE {
        double share = with_power(times_factor(e[i], rest[i], &f, exact, l), &f, l);
        y[i] = has_softmax(rows, l) ? share : (double)NAN;
      }
      write_tile(y, &j->out, &rows->g, tile);
    }
  }
}

VECTORIZED static void softmax(const job *j, softmax_rows *rows) {
  if (j->out.type == FLOAT64) softmax_of(j, 1, rows);
  else softmax_of(j, 0, rows);
}

/* log(1 + odds against the likeliest class), which is -log of its probability. */
INLINE void take_logarithms(const softmax_rows *rows, double *logarithms) {
  FOR_LANES logarithms[l] = log1p_of(over(at(&rows->others, l), at(&rows->of_top, l)));
}

/* (a - m) / (T unit) - log(1 + odds) / unit */
VECTORIZED static void log_softmax(const job *j, softmax_rows *rows) {
  double y[TILE], logarithms[LANES];
  pair over_T_unit = j->n.over_T_unit;
  int exact = j->out.type == FLOAT64;
  FOR_GROUPS(rows, j->a) {
    take_exponentials(rows, j, 1);
    take_logarithms(rows, logarithms);
    FOR_TILES(rows) {
      if (rows->g.tiles > 1) read_tile(&j->a, &rows->g, tile, 0, rows->x);
      FOR_TILE {
        double m = rows->largest[l], x = rows->x[i];
        pair log = times((pair){logarithms[l], 0}, j->n.over_unit), d = two_sum(m, -x);
        pair gap = two_product(d.high, over_T_unit.high);
        gap.low += d.high * over_T_unit.low + d.low * over_T_unit.high;
        pair sum = two_sum(gap.high, log.high);
        double result = exact ? sum.high + (sum.low + (gap.low + log.low)) : sum.high;
        /* A difference that overflows, or a class without probability. */
        double large = (0.5 * m - 0.5 * x) * over_T_unit.high * 2 + log.high;
        result = fabs(gap.high) <= DBL_MAX ? result : large;
        y[i] = has_softmax(rows, l) ? 0 - result : (double)NAN;
      }
      write_tile(y, &j->out, &rows->g, tile);
    }
  }
}

/* The largest logit of each row, and log(1 + odds against it). */
VECTORIZED static void log_odds(const job *j, softmax_rows *rows) {
  double logarithms[LANES];
  FOR_GROUPS(rows, j->a) {
    take_exponentials(rows, j, 1);
    take_logarithms(rows, logarithms);
    for (size_t l = 0; l < rows->g.rows; l++) {
      j->first[row + l] = rows->largest[l];
      j->second[row + l] = has_softmax(rows, l) ? logarithms[l] : (double)NAN;
    }
  }
}

/* The logits as another type, rounded once. */
VECTORIZED static void convert(const job *j, softmax_rows *rows) {
  FOR_GROUPS(rows, j->a) {
    FOR_TILES(rows) {
      read_tile(&j->a, &rows->g, tile, 0, rows->x);
      write_tile(rows->x, &j->out, &rows->g, tile);
    }
  }
}

/* The class with the largest logit of each row, the first of equal ones, or the first NaN; and the
   logit. */
VECTORIZED static void likeliest(const job *j, softmax_rows *rows) {
  FOR_GROUPS(rows, j->a) {
    find_largest(rows, &j->a);
    for (size_t l = 0; l < rows->g.rows; l++) {
      ((int64_t *)j->first)[row + l] = (int64_t)rows->top[l];
      j->second[row + l] = rows->largest[l];
    }
  }
}

/* ---- Comparisons ---- */

/* How a row of claimed numbers a differs from results n: the largest |a - n|, alone and divided by
   max(|a|, |n|) and by what is allowed; the largest |n| and atol; how many numbers are over the
   tolerance, NaN if one is not finite; and how many zeros would be. */
enum { ABSOLUTE, RELATIVE, EXCESS, LARGEST, ATOL, OVER, ZEROS_OVER, ERRORS };

typedef struct {
  double of[ERRORS][LANES], floor[LANES], share[LANES], least[LANES];
} errors;

INLINE void begin_errors(const job *j, const group *g, errors *to) {
  memset(to, 0, sizeof *to);
  for (size_t l = 0; l < LANES; l++) {
    const double *of_row = j->tolerances + 3 * (g->row + (l < g->rows ? l : 0));
    to->floor[l] = of_row[0], to->share[l] = of_row[1], to->least[l] = of_row[2];
  }
}

INLINE void raise_to(double *largest, double x) { *largest = x > *largest ? x : *largest; }

VECTORIZED static void compare_tile(const job *j, const group *g, size_t tile,
                                    const double *restrict y, const double *restrict Y,
                                    errors *restrict to) {
  double claimed[TILE], rtol = j->n.rtol, units = j->n.units, of_terms = j->n.of_terms;
  size_t steps = steps_of(g, tile);
  read_tile(&j->claimed, g, tile, 0, claimed);
  FOR_TILE {
    double size = fabs(y[i]), of_claimed = fabs(claimed[i]), error = fabs(claimed[i] - y[i]);
    double larger = of_claimed > size ? of_claimed : size, terms = Y[i] * of_terms;
    double atol = (units * terms + to->floor[l]) + to->share[l] * (size + terms);
    raise_to(&atol, to->least[l]);
    double allowed = rtol * larger + atol;
    raise_to(&to->of[ABSOLUTE][l], error);
    raise_to(&to->of[RELATIVE][l], error / larger);
    raise_to(&to->of[EXCESS][l], error / allowed);
    raise_to(&to->of[LARGEST][l], size);
    raise_to(&to->of[ATOL][l], atol);
    to->of[OVER][l] += (error <= allowed ? 0.0 : 1.0) + (error - error);
    to->of[ZEROS_OVER][l] += size <= atol + rtol * size ? 0.0 : 1.0;
  }
}

INLINE void end_errors(const job *j, const group *g, errors *from) {
  for (size_t k = 0; k < ERRORS; k++) {
    double *of = from->of[k];
    for (size_t half = LANES / 2; half > 0 && !g->few; half /= 2)
      for (size_t l = 0; l < half; l++) {
        double other = of[l + half];
        of[l] = k < OVER ? (other > of[l] ? other : of[l]) : of[l] + other;
      }
    for (size_t l = 0; l < g->rows; l++)
      j->first[(g->row + l) * ERRORS + k] = plain(of[l]);
  }
}

/* ---- Losses ---- */

/* The sums of Y_k (m - a_k) and of Y_k; a term is 0 where Y_k is. */
INLINE void take_gaps(softmax_rows *rows, const job *j, pairs *gaps, pairs *sizes) {
  double Y[TILE], Y_rest[TILE], terms[TILE], rests[TILE];
  *gaps = *sizes = (pairs){{0}, {0}};
  memset(Y_rest, 0, sizeof Y_rest);
  FOR_TILES(rows) {
    if (rows->g.tiles > 1) read_tile(&j->a, &rows->g, tile, 0, rows->x);
    read_tile(&j->b, &rows->g, tile, 0, Y);
    if (j->rest.data) read_tile(&j->rest, &rows->g, tile, 0, Y_rest);
    FOR_TILE {
      pair d = two_sum(rows->largest[l], -rows->x[i]);
      double term = Y[i] * d.high, rest = Y[i] * d.low + Y_rest[i] * d.high;
      terms[i] = Y[i] == 0 ? 0 : term;
      rests[i] = Y[i] == 0 ? 0 : rest;
    }
    add(gaps, terms, rests, 1, steps);
    add(sizes, Y, Y_rest, 1, steps);
  }
  join(&rows->g, gaps);
  join(&rows->g, sizes);
}

/* scale (sum_k Y_k (m - a_k) / T + log(1 + odds) sum_k Y_k) / unit */
INLINE void take_losses(softmax_rows *rows, const job *j, const pairs *scales, double *losses) {
  double logarithms[LANES];
  pairs gaps, sizes = ONES;
  if (j->labels)
    for (size_t l = 0; l < LANES; l++) {
      size_t row = row_of(&rows->g, l);
      put(&gaps, l, two_sum(rows->largest[l], -number_at(&j->a, row, (size_t)j->labels[row])));
    }
  else take_gaps(rows, j, &gaps, &sizes);
  take_logarithms(rows, logarithms);
  FOR_LANES {
    pair gap = over(at(&gaps, l), (pair){j->n.T, 0});
    pair loss = plus(gap, times((pair){logarithms[l], 0}, at(&sizes, l)));
    loss = over(times(loss, at(scales, l)), j->n.unit);
    double result = has_softmax(rows, l) ? loss.high + loss.low : (double)NAN;
    losses[l] = scales->high[l] == 0 ? 0 : plain(result);
  }
}

/* P_j - 1 at the label is minus the sum of the others, which is known for the likeliest class. */
INLINE double at_label(const softmax_rows *rows, size_t lane, size_t label, const factors *f,
                       int exact) {
  size_t place = rows->g.few ? label * LANES + lane : label;
  pair others = at(&rows->others, lane);
  if (label != rows->top[lane]) {
    pair of_label = {rows->e[place], exact ? rows->e_rest[place] : 0};
    others = minus(at(&rows->total, lane), of_label);
  }
  return 0 - with_power(times_factor(others.high, others.low, f, 1, lane), f, lane);
}

INLINE void losses_of(const job *j, int exact, softmax_rows *rows) {
  double y[TILE], Y[TILE], found[LANES];
  pairs scales;
  factors f;
  errors differences;
  FOR_GROUPS(rows, j->a) {
    take_exponentials(rows, j, exact);
    scales = ONES;
    for (size_t l = 0; l < LANES && j->scales; l++)
      put(&scales, l, (pair){j->scales[row_of(&rows->g, l)], j->scale_rests[row_of(&rows->g, l)]});
    if (j->claimed.data) begin_errors(j, &rows->g, &differences);
    else {
      take_losses(rows, j, &scales, found);
      for (size_t l = 0; l < rows->g.rows; l++) j->first[row + l] = found[l];
      if (!j->out.data) continue;
    }
    set_factors(&f, rows, &scales, j->n.divisor, j->n.power);
    FOR_TILES(rows) {
      const double *e = rows->e + tile * TILE, *rest = rows->e_rest + tile * TILE;
      FOR_TILE y[i] = with_power(times_factor(e[i], rest[i], &f, exact, l), &f, l);
      if (j->claimed.data) memset(Y, 0, steps * LANES * sizeof *Y);
      for (size_t l = 0; l < rows->g.rows; l++) {
        size_t label = (size_t)j->labels[row + l], place = place_of(&rows->g, tile, l, label);
        if (place < TILE) y[place] = at_label(rows, l, label, &f, exact), Y[place] = scales.high[l];
      }
      FOR_TILE {
        double result = has_softmax(rows, l) ? y[i] : (double)NAN;
        y[i] = scales.high[l] == 0 ? 0 : result;
      }
      if (j->claimed.data) compare_tile(j, &rows->g, tile, y, Y, &differences);
      else write_tile(y, &j->out, &rows->g, tile);
    }
    if (j->claimed.data) end_errors(j, &rows->g, &differences);
  }
}

/* The loss of each row and, for labels, scale (P_j - Y_j) / divisor; or the errors of such. */
VECTORIZED static void losses(const job *j, softmax_rows *rows) {
  if (j->a.type == FLOAT64) losses_of(j, 1, rows);
  else losses_of(j, 0, rows);
}

/* ---- Products of Jacobians and vectors ---- */

/* S_i (v_i - sum_k S_k v_k), v_i - sum_k S_k v_k, and v_i - S_i sum_k v_k. */
enum { OF_SOFTMAX, OF_LOG_SOFTMAX, OF_LOG_SOFTMAX_FROM_LEFT };

/* What a product is, given the share S_i and the number that it is multiplied by. */
INLINE double product_at(const softmax_rows *rows, double share, double w, const factors *f,
                         const factors *over_divisor, int is_softmax, int exact, size_t l) {
  double of_log = w * over_divisor->whole[l];
  if (exact) of_log = w * over_divisor->head[l] + w * over_divisor->rest[l];
  double result = is_softmax ? with_power(share * w, f, l) : with_power(of_log, over_divisor, l);
  return has_softmax(rows, l) ? 0 + result : (double)NAN;
}

/* The product J v / divisor 2^power, without cancellation for the likeliest class t:
     v_t - sum_k S_k v_k = (v_t sum e - sum e v) / total, with sums over the other classes
     v_t - S_t sum_k v_k = (v_t sum e - e_t sum v) / total */
INLINE void take_products(const job *j, int product, int exact, softmax_rows *rows) {
  double v[TILE], terms[TILE], rests[TILE], y[TILE], v_top[LANES], at_top[LANES];
  int64_t raise_power = (int64_t)j->n.raise / 2, power = (int64_t)j->n.power - raise_power;
  double raise = power_of_2(raise_power);
  pairs sums, means;
  factors f, over_divisor;
  errors differences;
  int from_left = product == OF_LOG_SOFTMAX_FROM_LEFT, is_softmax = product == OF_SOFTMAX;
  int has_rests = exact && !from_left;
  /* What S is multiplied by is raised as well. */
  FOR_LANES set_factor(&over_divisor, l, over((pair){1, 0}, j->n.divisor), power);
  FOR_GROUPS(rows, j->a) {
    take_exponentials(rows, j, exact);
    if (j->claimed.data) begin_errors(j, &rows->g, &differences);
    sums = (pairs){{0}, {0}};
    FOR_TILES(rows) {
      const double *e = rows->e + tile * TILE, *rest = rows->e_rest + tile * TILE;
      read_tile(&j->b, &rows->g, tile, 0, v);
      FOR_TILE {
        terms[i] = from_left ? v[i] : e[i] * v[i];
        if (has_rests) rests[i] = rest[i] * v[i];
      }
      put_at_top(rows, tile, ZEROS, terms);
      if (has_rests) put_at_top(rows, tile, ZEROS, rests);
      add(&sums, terms, rests, has_rests, steps);
    }
    join(&rows->g, &sums);
    for (size_t l = 0; l < LANES; l++)
      v_top[l] = number_at(&j->b, row + (l < rows->g.rows ? l : 0), rows->top[l]);
    set_factors(&f, rows, &ONES, is_softmax ? j->n.divisor : (pair){1, 0},
                (double)(is_softmax ? power : raise_power));
    FOR_LANES {
      pair v_of_top = {v_top[l], 0}, sum = at(&sums, l);
      pair e_top = at(&rows->of_top, l), total = at(&rows->total, l);
      pair less = from_left ? times(e_top, sum) : sum;
      pair top = minus(times(at(&rows->others, l), v_of_top), less);
      double share = times_factor(e_top.high, e_top.low, &f, exact, l);
      double w = over(times(top, (pair){raise, 0}), total).high;
      at_top[l] = product_at(rows, share, w, &f, &over_divisor, is_softmax, exact, l);
      pair mean = over(plus(times(e_top, v_of_top), sum), total);
      put(&means, l, from_left ? plus(v_of_top, sum) : mean);
    }
    FOR_TILES(rows) {
      const double *e = rows->e + tile * TILE, *rest = rows->e_rest + tile * TILE;
      if (rows->g.tiles > 1) read_tile(&j->b, &rows->g, tile, 0, v);
      FOR_TILE {
        double share = times_factor(e[i], rest[i], &f, exact, l), S = with_power(share, &f, l);
        double w = from_left ? (v[i] * raise - S * means.high[l]) - S * means.low[l]
                             : ((v[i] - means.high[l]) - means.low[l]) * raise;
        y[i] = product_at(rows, share, w, &f, &over_divisor, is_softmax, exact, l);
      }
      put_at_top(rows, tile, at_top, y);
      if (j->claimed.data) compare_tile(j, &rows->g, tile, y, v, &differences);
      else write_tile(y, &j->out, &rows->g, tile);
    }
    if (j->claimed.data) end_errors(j, &rows->g, &differences);
  }
}

INLINE void products_of(const job *j, int exact, softmax_rows *rows) {
  if (j->n.product == OF_SOFTMAX) take_products(j, OF_SOFTMAX, exact, rows);
  else if (j->n.product == OF_LOG_SOFTMAX) take_products(j, OF_LOG_SOFTMAX, exact, rows);
  else take_products(j, OF_LOG_SOFTMAX_FROM_LEFT, exact, rows);
}

VECTORIZED static void products(const job *j, softmax_rows *rows) {
  if (j->claimed.data || j->out.type == FLOAT64) products_of(j, 1, rows);
  else products_of(j, 0, rows);
}

/* ---- The slopes of a loss ---- */

/* With respect to 1 / T: the first and second derivative of the loss, and the first as T goes to 0
   and to infinity. With lower_k = a_k - m, and means over P:
     sum Y mean - t, sum Y (mean of lower^2 - mean^2), -t, sum Y (even mean) - t, t = sum Y lower */
VECTORIZED static void slopes(const job *j, softmax_rows *rows) {
  double terms[TILE], squares[TILE], all[TILE], counts[TILE];
  FOR_GROUPS(rows, j->a) {
    pairs zero = {{0}, {0}}, sizes = ONES, gaps = zero, mean = zero, square = zero, even = zero;
    pairs count = zero;
    take_exponentials(rows, j, 0);
    if (j->b.data) take_gaps(rows, j, &gaps, &sizes);
    FOR_TILES(rows) {
      const double *e = rows->e + tile * TILE;
      if (rows->g.tiles > 1) read_tile(&j->a, &rows->g, tile, -INFINITY, rows->x);
      FOR_TILE {
        double lower = rows->x[i] - rows->largest[l];
        int is_class = rows->x[i] > -INFINITY;
        all[i] = is_class ? lower : 0;
        counts[i] = is_class ? 1 : 0;
        terms[i] = e[i] * all[i];
        squares[i] = terms[i] * all[i];
      }
      add(&mean, terms, terms, 0, steps);
      add(&square, squares, squares, 0, steps);
      add(&even, all, all, 0, steps);
      add(&count, counts, counts, 0, steps);
    }
    join(&rows->g, &mean), join(&rows->g, &square), join(&rows->g, &even), join(&rows->g, &count);
    for (size_t l = 0; l < rows->g.rows; l++) {
      double t = 0 - gaps.high[l], size = sizes.high[l], total = rows->total.high[l];
      if (j->labels) t = number_at(&j->a, row + l, (size_t)j->labels[row + l]) - rows->largest[l];
      double first = mean.high[l] / total, second = square.high[l] / total - first * first;
      double *to = j->first + 4 * (row + l);
      to[0] = plain(size * first - t), to[1] = plain(size * (second > 0 ? second : 0));
      to[2] = plain(0 - t), to[3] = plain(size * (even.high[l] / count.high[l]) - t);
    }
  }
}

/* ---- The scores of probabilities ---- */

/* The probability of the likeliest class, and sum_k (P_k - Y_k)^2 for a label. There, 1 - P is the
   sum of the others. */
INLINE void scores_of(const job *j, int exact, softmax_rows *rows) {
  double squares[TILE];
  FOR_GROUPS(rows, j->a) {
    pairs sums = {{0}, {0}};
    take_exponentials(rows, j, exact);
    FOR_TILES(rows) {
      const double *e = rows->e + tile * TILE;
      FOR_TILE squares[i] = e[i] * e[i];
      for (size_t l = 0; l < rows->g.rows; l++) {
        size_t place = place_of(&rows->g, tile, l, (size_t)j->labels[row + l]);
        if (place < TILE) squares[place] = 0;
      }
      add(&sums, squares, squares, 0, steps);
    }
    join(&rows->g, &sums);
    for (size_t l = 0; l < rows->g.rows; l++) {
      size_t label = (size_t)j->labels[row + l], place = rows->g.few ? label * LANES + l : label;
      pair total = at(&rows->total, l), others = at(&rows->others, l);
      if (label != rows->top[l])
        others = minus(total, (pair){rows->e[place], exact ? rows->e_rest[place] : 0});
      double missing = others.high / total.high;
      double confidence = over(at(&rows->of_top, l), total).high;
      double score = sums.high[l] / total.high / total.high + missing * missing;
      j->first[row + l] = has_softmax(rows, l) ? confidence : (double)NAN;
      j->second[row + l] = has_softmax(rows, l) ? score : (double)NAN;
    }
  }
}

VECTORIZED static void scores(const job *j, softmax_rows *rows) {
  if (j->a.type == FLOAT64) scores_of(j, 1, rows);
  else scores_of(j, 0, rows);
}

/* ---- An exact sum ---- */

/* Their number; 2^1024 lies in word 65, and sums may go on for two more. */
enum { WORDS = 68 };

/* Adds finite numbers to words of 32 bits, the first of which counts units of 2^-1074; returns the
   sum of the others. */
static double exact_sum(const double *x, size_t count, int64_t *words) {
  double others = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = bits_of(x[i]), mantissa = bits & 0xfffffffffffff;
    uint64_t exponent = bits >> 52 & 0x7ff;
    if (exponent == 0x7ff) {
      others += x[i];
      continue;
    }
    mantissa |= (uint64_t)(exponent > 0) << 52;
    exponent -= exponent > 0;
    uint64_t shift = exponent & 31, low = (mantissa & 0xffffffff) << shift;
    uint64_t high = (mantissa >> 32) << shift;
    uint64_t middle = (low >> 32) + (high & 0xffffffff);
    int64_t *to = words + (exponent >> 5), unit = bits >> 63 ? -1 : 1;
    to[0] += unit * (int64_t)(low & 0xffffffff);
    to[1] += unit * (int64_t)middle;
    to[2] += unit * (int64_t)(high >> 32);
  }
  return others;
}

/* ---- Python ---- */

/* The buffers that a call uses: thirteen at most. */
typedef struct {
  Py_buffer views[13];
  int count;
} buffers;

static int refuse(const char *problem) {
  PyErr_SetString(PyExc_ValueError, problem);
  return 0;
}

/* Takes the memory of `count` numbers of `size` bytes, or of nothing if the object is None; sets an
   error if it has another length. Only here does an object become a pointer. */
static int take(buffers *b, PyObject *object, size_t count, size_t size, int writable, void *to) {
  if (object == Py_None) return 1;
  Py_buffer *view = &b->views[b->count];
  if (PyObject_GetBuffer(object, view, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE) < 0) return 0;
  b->count++;
  if ((size_t)view->len % size || (size_t)view->len / size != count ||
      (uintptr_t)view->buf % size) {
    PyErr_Format(PyExc_ValueError, "%zd bytes for %zd numbers", view->len, (Py_ssize_t)count);
    return 0;
  }
  memcpy(to, &view->buf, sizeof view->buf);
  return 1;
}

static int take_array(buffers *b, PyObject *object, int type, size_t rows, size_t classes,
                      int writable, array *to) {
  *to = (array){NULL, (dtype)type, rows, classes};
  if (type < FLOAT16 || type > FLOAT64) return refuse("an unknown type of numbers");
  return take(b, object, rows * classes, SIZE[type], writable, &to->data);
}

static int are_classes(const int64_t *labels, size_t rows, size_t classes) {
  for (size_t row = 0; row < rows && labels; row++)
    if (labels[row] < 0 || (uint64_t)labels[row] >= classes)
      return refuse("a label that is no class");
  return 1;
}

/* What an operation needs besides logits: results, vectors, labels or targets, one column or two,
   what is compared with the results, or labels alone. */
enum { OUT = 1, B = 2, LABELS = 4, FIRST = 8, SECOND = 16, CLAIMED = 32, NOT_SOFT = 64 };

/* The width is that of the first column. */
static const struct {
  void (*run)(const job *, softmax_rows *);
  int needs, width;
} OPERATIONS[] = {{softmax, OUT, 1},
                  {log_softmax, OUT, 1},
                  {log_odds, FIRST | SECOND, 1},
                  {likeliest, FIRST | SECOND, 1},
                  {losses, FIRST | LABELS, 1},
                  {products, OUT | B, 1},
                  {slopes, FIRST | LABELS, 4},
                  {losses, FIRST | LABELS | CLAIMED, ERRORS},
                  {products, FIRST | B | CLAIMED, ERRORS},
                  {scores, FIRST | SECOND | LABELS | NOT_SOFT, 1},
                  {convert, OUT, 1}};

static int has_all(const job *j, const numbers *n, int needs) {
  int has_result = j->out.data || j->claimed.data;
  int has_labels = j->labels || (j->b.data && (!has_result || needs & OUT));
  if (n && j->a.data && (j->out.data || !(needs & OUT)) && (j->b.data || !(needs & B)) &&
      (has_labels || !(needs & LABELS)) && (j->labels || !(needs & NOT_SOFT)) &&
      (j->first || !(needs & FIRST)) && (j->second || !(needs & SECOND)) &&
      !j->scales == !j->scale_rests && !j->claimed.data == !(needs & CLAIMED) &&
      !j->tolerances == !(needs & CLAIMED))
    return 1;
  return refuse("an operand is missing");
}

/* Whether those of the numbers that become whole ones are small. */
static int are_small(const numbers *n) {
  int are = fabs(n->power) + fabs(n->raise) + fabs(n->product) < 4096;
  return are || refuse("a power that is too large");
}

/* The operation's number; the shape; logits, targets or vectors and their rests, whether one row of
   them is for all, and results, arrays with their types; claimed results, with tolerances; labels,
   likeliest classes, scales and their rests; two columns of results; the numbers. */
static PyObject *compute(PyObject *self, PyObject *args) {
  PyObject *a, *b, *rest, *out, *claimed, *tolerances, *labels, *tops, *scales, *scale_rests;
  PyObject *first, *second, *numbers_;
  int number, a_type, b_type, out_type, claimed_type, is_one;
  Py_ssize_t rows, classes;
  job j = {.labels = NULL};
  numbers *n = NULL;
  buffers taken = {.count = 0};
  softmax_rows *memory = NULL;
  (void)self;
  if (!PyArg_ParseTuple(args, "inn(Oi)(OiOp)(Oi)(OiO)(OOOO)(OO)O", &number, &rows, &classes, &a,
                        &a_type, &b, &b_type, &rest, &is_one, &out, &out_type, &claimed,
                        &claimed_type, &tolerances, &labels, &tops, &scales, &scale_rests, &first,
                        &second, &numbers_))
    return NULL;
  if (number < 0 || number >= (int)(sizeof OPERATIONS / sizeof *OPERATIONS) || rows < 0 ||
      classes < 1 || rows > PY_SSIZE_T_MAX / 64 / classes) {
    PyErr_SetString(PyExc_ValueError, "no such operation or shape");
    return NULL;
  }
  group g = group_at(0, (size_t)rows, (size_t)classes);
  size_t b_rows = is_one && rows > 1 ? 1 : (size_t)rows;
  if (take_array(&taken, a, a_type, (size_t)rows, (size_t)classes, 0, &j.a) &&
      take_array(&taken, b, b_type, b_rows, (size_t)classes, 0, &j.b) &&
      take_array(&taken, rest, b_type, b_rows, (size_t)classes, 0, &j.rest) &&
      take_array(&taken, out, out_type, (size_t)rows, (size_t)classes, 1, &j.out) &&
      take_array(&taken, claimed, claimed_type, (size_t)rows, (size_t)classes, 0, &j.claimed) &&
      take(&taken, tolerances, 3 * (size_t)rows, 8, 0, &j.tolerances) &&
      take(&taken, labels, (size_t)rows, 8, 0, &j.labels) &&
      are_classes(j.labels, (size_t)rows, (size_t)classes) &&
      take(&taken, tops, (size_t)rows, 8, 0, &j.tops) &&
      are_classes(j.tops, (size_t)rows, (size_t)classes) &&
      take(&taken, scales, (size_t)rows, 8, 0, &j.scales) &&
      take(&taken, scale_rests, (size_t)rows, 8, 0, &j.scale_rests) &&
      take(&taken, first, (size_t)(rows * OPERATIONS[number].width), 8, 1, &j.first) &&
      take(&taken, second, (size_t)rows, 8, 1, &j.second) &&
      take(&taken, numbers_, sizeof j.n / 8, 8, 0, &n) && has_all(&j, n, OPERATIONS[number].needs) &&
      are_small(n)) {
    memory = malloc(sizeof *memory + 2 * g.tiles * TILE * sizeof(double));
    if (memory) {
      j.n = *n;
      memory->e = (double *)(memory + 1), memory->e_rest = memory->e + g.tiles * TILE;
      Py_BEGIN_ALLOW_THREADS
      OPERATIONS[number].run(&j, memory);
      Py_END_ALLOW_THREADS
      free(memory);
    } else
      PyErr_NoMemory();
  }
  while (taken.count > 0) PyBuffer_Release(&taken.views[--taken.count]);
  return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* Adds the finite numbers of a column to words of 32 bits, which have room for sums of so many;
   returns the sum of the others. */
static PyObject *add_exactly(PyObject *self, PyObject *args) {
  PyObject *x, *words;
  Py_ssize_t count;
  const double *from = NULL;
  int64_t *to = NULL;
  double others = 0;
  buffers taken = {.count = 0};
  (void)self;
  if (PyArg_ParseTuple(args, "OnO", &x, &count, &words) &&
      ((count >= 0 && count <= 1 << 29) || refuse("too many numbers")) &&
      take(&taken, x, (size_t)count, 8, 0, &from) && take(&taken, words, WORDS, 8, 1, &to) &&
      ((from && to) || refuse("an operand is missing"))) {
    Py_BEGIN_ALLOW_THREADS
    others = exact_sum(from, (size_t)count, to);
    Py_END_ALLOW_THREADS
  }
  while (taken.count > 0) PyBuffer_Release(&taken.views[--taken.count]);
  return PyErr_Occurred() ? NULL : PyFloat_FromDouble(others);
}

/* The instruction set of the clones that run here. */
static const char *instructions(void) {
#ifdef KERNEL_CLONES
  if (__builtin_cpu_supports("avx512f")) return "AVX-512";
  if (__builtin_cpu_supports("avx2")) return "AVX2";
#endif
  return "baseline";
}

static int set_constants(PyObject *module) {
  if (PyModule_AddStringConstant(module, "INSTRUCTIONS", instructions()) < 0) return -1;
  return PyModule_AddStringConstant(module, "SOURCE", KERNEL_SOURCE);
}

PyMODINIT_FUNC PyInit__kernel(void) {
  static PyMethodDef methods[] = {{"compute", compute, METH_VARARGS, NULL},
                                  {"add_exactly", add_exactly, METH_VARARGS, NULL},
                                  {NULL, NULL, 0, NULL}};
  static PyModuleDef_Slot slots[] = {{Py_mod_exec, set_constants}, {0, NULL}};
  static struct PyModuleDef definition = {
      PyModuleDef_HEAD_INIT, .m_name = "_kernel", .m_methods = methods, .m_slots = slots};
  return PyModuleDef_Init(&definition);
}
