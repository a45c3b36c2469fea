// Workloads of the fuel benchmarks, as a C compiler makes them. Each export
// takes a number of rounds and returns something that depends on all the work.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define NOINLINE __attribute__((noinline))

static u8 bytes[1 << 18];
static u32 words[1 << 14];

EXPORT(sieve) u32 sieve(u32 n) {
  if (n > sizeof bytes) n = sizeof bytes;
  for (u32 i = 0; i < n; i++) bytes[i] = 0;
  u32 count = 0;
  for (u32 i = 2; i < n; i++) {
    if (bytes[i]) continue;
    count++;
    for (u64 j = (u64)i * i; j < n; j += i) bytes[j] = 1;
  }
  return count;
}

static double a[48][48], b[48][48], c[48][48];

EXPORT(matrix) u32 matrix(u32 rounds) {
  for (u32 i = 0; i < 48; i++)
    for (u32 j = 0; j < 48; j++) a[i][j] = i + j, b[i][j] = i - 0.5 * j, c[i][j] = 0;
  while (rounds--)
    for (u32 i = 0; i < 48; i++)
      for (u32 j = 0; j < 48; j++) {
        double s = c[i][j];
        for (u32 k = 0; k < 48; k++) s += a[i][k] * b[k][j];
        c[i][j] = s;
      }
  return (u32)(int)c[7][11];
}

static u32 crcs[256];

EXPORT(crc) u32 crc(u32 rounds) {
  for (u32 i = 0; i < 256; i++) {
    u32 x = i;
    for (int k = 0; k < 8; k++) x = x & 1 ? x >> 1 ^ 0xedb88320u : x >> 1;
    crcs[i] = x;
  }
  u32 x = ~0u;
  while (rounds--)
    for (u32 i = 0; i < 4096; i++) x = crcs[(x ^ bytes[i]) & 255] ^ x >> 8;
  return ~x;
}

// hash is an open table of integers: insert and look up.
EXPORT(hash) u32 hash(u32 rounds) {
  u32 mask = (1 << 14) - 1, hits = 0, seed = 1;
  for (u32 i = 0; i <= mask; i++) words[i] = 0;
  while (rounds--) {
    seed = seed * 1664525 + 1013904223;
    u32 key = (seed >> 8 & 8191) + 1, at = key * 2654435761u >> 18;
    while (words[at & mask] && words[at & mask] != key) at++;
    if (words[at & mask] == key) hits++;
    words[at & mask] = key;
  }
  return hits;
}

static void quick(int *list, int lo, int hi) {
  while (lo < hi) {
    int pivot = list[(lo + hi) / 2], i = lo, j = hi;
    while (i <= j) {
      while (list[i] < pivot) i++;
      while (list[j] > pivot) j--;
      if (i <= j) {
        int t = list[i];
        list[i++] = list[j];
        list[j--] = t;
      }
    }
    if (j - lo < hi - i) quick(list, lo, j), lo = i;
    else quick(list, i, hi), hi = j;
  }
}

EXPORT(sort) u32 sort(u32 n) {
  u32 seed = 12345;
  if (n > sizeof words / 4) n = sizeof words / 4;
  for (u32 i = 0; i < n; i++) words[i] = (seed = seed * 1664525 + 1013904223) >> 8;
  quick((int *)words, 0, n - 1);
  return words[n / 2];
}

NOINLINE static u32 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

EXPORT(fib) u32 fib(u32 n) { return fibonacci(n); }

NOINLINE static u32 ack(u32 m, u32 n) { return m == 0 ? n + 1 : n == 0 ? ack(m - 1, 1) : ack(m - 1, ack(m, n - 1)); }

EXPORT(ackermann) u32 ackermann(u32 n) { return ack(2, n); }

// tree makes and sums binary trees: calls, pointers, a free list.
struct node { struct node *left, *right; };
static struct node pool[1 << 12];
static u32 used;

NOINLINE static struct node *grow(u32 depth) {
  struct node *n = &pool[used++ & 4095];
  n->left = depth ? grow(depth - 1) : 0;
  n->right = depth ? grow(depth - 1) : 0;
  return n;
}

NOINLINE static u32 sum(struct node *n) { return n ? 1 + sum(n->left) + sum(n->right) : 0; }

EXPORT(tree) u32 tree(u32 rounds) {
  u32 total = 0;
  while (rounds--) used = 0, total += sum(grow(9));
  return total;
}

// leaf calls small functions in a loop, directly and through a table.
typedef u32 (*step)(u32);
NOINLINE static u32 rotate(u32 x) { return x << 7 | x >> 25; }
NOINLINE static u32 mix(u32 x) { return (x ^ x >> 15) * 0x2c1b3c6d; }
NOINLINE static u32 odd(u32 x) { return x & 1 ? x * 3 + 1 : x >> 1; }
static const step steps[] = {rotate, mix, odd, mix};

EXPORT(leaf) u32 leaf(u32 rounds) {
  u32 x = 1;
  for (u32 i = 0; i < rounds; i++) x = steps[x & 3](mix(rotate(x + i)));
  return x;
}

// interpreter runs a loop of a small stack machine: one big switch.
enum { PUSH, ADD, SUB, MUL, XOR, DUP, SWAP, DROP, LOAD, STORE, LESS, JUMP, JUMPZ, AND, SHR, NOP, HALT };
static u8 program[] = {
    PUSH, 0, STORE, 0, PUSH, 1, STORE, 1,                               // i = 0, x = 1
    LOAD, 0, LOAD, 2, LESS, JUMPZ, 40,                                  // while i < n
    LOAD, 1, DUP, PUSH, 31, MUL, SWAP, PUSH, 3, SHR, XOR, LOAD, 0, ADD, // x = x*31 ^ x>>3 + i
    STORE, 1, LOAD, 0, PUSH, 1, ADD, STORE, 0, JUMP, 8, HALT};

EXPORT(interpreter) u32 interpreter(u32 n) {
  u32 stack[16], vars[4] = {0, 0, n, 0}, sp = 0, pc = 0;
  for (;;) {
    switch (program[pc++]) {
    case PUSH: stack[sp++ & 15] = program[pc++]; break;
    case ADD: sp--; stack[sp - 1 & 15] += stack[sp & 15]; break;
    case SUB: sp--; stack[sp - 1 & 15] -= stack[sp & 15]; break;
    case MUL: sp--; stack[sp - 1 & 15] *= stack[sp & 15]; break;
    case XOR: sp--; stack[sp - 1 & 15] ^= stack[sp & 15]; break;
    case AND: sp--; stack[sp - 1 & 15] &= stack[sp & 15]; break;
    case SHR: sp--; stack[sp - 1 & 15] >>= stack[sp & 15] & 31; break;
    case DUP: stack[sp & 15] = stack[sp - 1 & 15]; sp++; break;
    case SWAP: { u32 t = stack[sp - 1 & 15]; stack[sp - 1 & 15] = stack[sp - 2 & 15]; stack[sp - 2 & 15] = t; break; }
    case DROP: sp--; break;
    case LOAD: stack[sp++ & 15] = vars[program[pc++] & 3]; break;
    case STORE: vars[program[pc++] & 3] = stack[--sp & 15]; break;
    case LESS: sp--; stack[sp - 1 & 15] = stack[sp - 1 & 15] < stack[sp & 15]; break;
    case JUMP: pc = program[pc]; break;
    case JUMPZ: pc = stack[--sp & 15] ? pc + 1 : program[pc]; break;
    case NOP: break;
    default: return vars[1];
    }
  }
}

// sha is SHA-256 over 4 KiB, unrolled as the compiler likes.
static const u32 k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static u32 ror(u32 x, int n) { return x >> n | x << (32 - n); }

static void block(u32 *h, const u8 *p) {
  u32 w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = (u32)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++)
    w[i] = w[i - 16] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
           (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
  for (int i = 0; i < 8; i++) s[i] = h[i];
  for (int i = 0; i < 64; i++) {
    u32 t = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) + (s[4] & s[5] ^ ~s[4] & s[6]) + k[i] + w[i];
    u32 v = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) + (s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2]);
    s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = s[3] + t, s[3] = s[2], s[2] = s[1], s[1] = s[0], s[0] = t + v;
  }
  for (int i = 0; i < 8; i++) h[i] += s[i];
}

EXPORT(sha) u32 sha(u32 rounds) {
  u32 h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  while (rounds--)
    for (u32 i = 0; i < 4096; i += 64) block(h, bytes + i);
  return h[0];
}

// text counts words, lines and the longest word: branches on bytes.
EXPORT(text) u32 text(u32 rounds) {
  static const char line[] = "the quick brown fox, 42 times, jumps over a lazy dog; and then some more.\n";
  u32 n = 0;
  for (; n < 8192; n++) bytes[n] = line[n % (sizeof line - 1)];
  u32 count = 0, lines = 0, longest = 0;
  while (rounds--) {
    u32 length = 0;
    for (u32 i = 0; i < n; i++) {
      u8 ch = bytes[i];
      if (ch == '\n') lines++;
      if (ch >= 'a' && ch <= 'z' || ch >= '0' && ch <= '9') {
        if (length++ == 0) count++;
      } else {
        if (length > longest) longest = length;
        length = 0;
      }
    }
  }
  return count * 31 + lines * 7 + longest;
}
