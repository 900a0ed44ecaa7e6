// Trains a chain of Dense layers with Adam, batch after batch, on one or more threads; and predicts with it.
//
// A step of training has two phases, each closed by a barrier:
//   samples: a thread takes its share of the batch through all layers, forward and backward, down to the gradients by
//            every layer's sums. Arrays are transposed (units x batch), so that vectors run along the batch. Batch
//            normalization needs the moments of all shares: there the threads meet in the middle of the phase;
//   weights: a thread takes its share of every kernel's rows. A tile's gradient is summed over the batch in registers
//            and Adam applied to it at once. Where the first layer is wide, the next batch's product with those rows of
//            the first kernel follows while they are in the cache (`by_features`).
// Shares depend on the number of threads alone, and sums are added in the order of the threads: results are the same
// in every run, however the batches are divided into calls.
#pragma once
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "arena.h"
#include "threads.h"
#include "job.h"
#include "masks.h"
#include "products.h"

namespace {

class Network {
   public:
    explicit Network(const Job& job)
        : job_(job), threads_(job.threads), wide_(padded(job.whole ? job.batch : job.tail)), barrier_(job.threads) {
        size_t depth = job.kinds.size(), need = 4096;
        blocks_ = (job.sizes[0] + BLOCK - 1) / BLOCK;
        for (size_t l = 0; l < depth; l++) {
            long wide = padded(job.sizes[l + 1]);
            need += 3 * Arena::room(job.sizes[l] * wide) + 3 * Arena::room(wide) + 3 * Arena::room(wide * wide_);
        }
        for (const Stage& stage : job.stages) {
            long wide = padded(job.sizes[stage.layer + 1]);
            need += 2 * Arena::room(wide * wide_) + (6 + 7 * threads_) * Arena::room(wide);
        }
        need += Arena::room(blocks_ * BLOCK * wide_) + threads_ * Arena::room(padded(job.sizes[1]) * wide_);
        arena_ = std::make_unique<Arena>(need);
        for (size_t l = 0; l < depth; l++) {
            Layer k{};
            k.in = job.sizes[l], k.out = job.sizes[l + 1], k.kind = job.kinds[l], k.wide = padded(k.out);
            k.biased = job.biases[l].value != nullptr;
            each(k.kernel, job.kernels[l], [&](float* theirs) { return borrow(theirs, k.in, k); });
            each(k.bias, job.biases[l], [&](float* theirs) { return borrow(theirs, 1, k); });
            k.z = arena_->zeros(k.wide * wide_);
            if (trains()) k.dt = arena_->zeros(k.wide * wide_), k.d = arena_->zeros(k.wide * wide_);
            layers_.push_back(k);
        }
        for (const Stage& stage : job.stages)
            if (trains() || stage.kind != DROP) add(stage);
        x_ = arena_->zeros(blocks_ * BLOCK * wide_);
        for (int t = 0; t < threads_; t++) partial_.push_back(arena_->zeros(layers_[0].wide * wide_));
        by_features_ = trains() && layers_[0].in >= (threads_ > 1 ? 512 : BLOCK);
        for (auto& sums : sums_) sums.resize(threads_);
        if (mask_room_) masks_ = std::make_unique<Masks>(mask_room_), use_masks(masks_->at(0));
    }

    void train() {
        bool ahead = job_.aside && masks_ && job_.batches() >= Masks::FEWEST;
        together(threads_ + ahead, [this](int thread) {
            if (thread < threads_) return work(thread);
            masks_->draw_ahead(job_.batches(), [this](uint16_t* to, long n) { draw_masks(to, whole_batch(n), n); });
        });
        count(job_.batches() - 1);
        *job_.iteration += int32_t(job_.batches());
        auto theirs = job_.stages.begin();
        for (size_t l = 0; l < layers_.size(); l++) {
            Layer& k = layers_[l];
            give_back(k.kernel, job_.kernels[l], k.in, k);
            give_back(k.bias, job_.biases[l], 1, k);
            for (Stage& stage : k.stages) {
                give_back(stage.gamma, theirs->gamma, 1, k);
                give_back(stage.beta, theirs++->beta, 1, k);
                if (stage.seed) stage.seed[1] += uint32_t(job_.batches());
            }
        }
    }

    /// The predictions for all samples, samples x units; on one thread.
    void predict(float* to, bool softmax) {
        Layer& last = layers_.back();
        for (long n = 0; n < job_.batches(); n++) {
            int size = job_.size(n);
            through(whole_batch(n), n);
            if (softmax)
                for (int b = 0; b < size; b += LANES) to_probabilities(last.z + b, wide_, last.out);
            for (int r = 0; r < size; r++, to += last.out)
                for (int c = 0; c < last.out; c++) to[c] = last.outputs()[c * wide_ + r];
        }
    }

   private:
    bool trains() const { return job_.iteration; }
    struct alignas(128) Sums {
        double loss = 0;
        Vector penalty{};
    };
    struct Range {
        int from, to;
    };

    template <class Function>
    static void each(Parameter& mine, const Parameter& theirs, Function function) {
        mine.l1 = theirs.l1, mine.l2 = theirs.l2;
        mine.value = function(theirs.value);
        if (theirs.mean) mine.mean = function(theirs.mean), mine.square = function(theirs.square);
    }
    static bool in_place(const float* theirs, const Layer& k) {
        return theirs && k.out == k.wide && (uintptr_t)theirs % sizeof(Vector) == 0;
    }
    /// The array itself where its rows are whole vectors, else a copy with padded rows; zeros for none.
    float* borrow(float* theirs, int rows, const Layer& k) {
        if (in_place(theirs, k)) return theirs;
        float* mine = arena_->zeros(long(rows) * k.wide);
        for (long i = 0; theirs && i < rows; i++) std::memcpy(mine + i * k.wide, theirs + i * k.out, k.out * 4);
        return mine;
    }
    static void give_back(const Parameter& mine, const Parameter& theirs, int rows, const Layer& k) {
        float* pairs[3][2] = {{theirs.value, mine.value}, {theirs.mean, mine.mean}, {theirs.square, mine.square}};
        for (auto& [to, from] : pairs)
            for (long i = 0; to && to != from && i < rows; i++) std::memcpy(to + i * k.out, from + i * k.wide, k.out * 4);
    }

    void add(Stage stage) {
        Layer& k = layers_[stage.layer];
        auto padded_row = [&](float* theirs) { return theirs ? borrow(theirs, 1, k) : nullptr; };
        for (Parameter* one : {&stage.gamma, &stage.beta}) each(*one, Parameter(*one), padded_row);
        stage.out = arena_->zeros(k.wide * wide_);
        if (stage.kind == DROP) mask_room_ += k.wide * wide_ / LANES;
        for (int t = 0; stage.kind == NORMALIZE && trains() && t < threads_; t++) {
            auto row = [&] { return arena_->zeros(k.wide); };
            stage.moments.push_back({row(), row(), row(), row(), row(), row(), row()});
        }
        k.stages.push_back(stage);
    }

    /// A thread's share of n things that go by units.
    Range share(int thread, int n, int unit) const {
        int part = ((n + threads_ - 1) / threads_ + unit - 1) / unit * unit;
        return {std::min(thread * part, n), std::min((thread + 1) * part, n)};
    }

    void work(int thread) {
        long batches = job_.batches();
        if (by_features_) {
            Range k = share(thread, layers_[0].in, BLOCK);
            for (int q = k.from; q < k.to; q += BLOCK)
                first_product(thread, 0, job_.size(0), q, std::min(k.to, q + BLOCK), q == k.from, 0);
            barrier_.wait();
        }
        for (long n = 0; n < batches; n++) {
            samples_phase(thread, n);
            barrier_.wait();
            weights_phase(thread, n);
            barrier_.wait();
        }
    }

    /// Features k0 to k1 (of one block) of the batch's samples r0 to r1, as floats.
    void convert(int r0, int r1, int k0, int k1, long n) {
        long in = layers_[0].in, wide = std::min<long>(BLOCK, k1 - k0);
        float* to = x_ + long(k0 / BLOCK) * BLOCK * wide_ + k0 % BLOCK;
        for (long r = r0; r < r1; r++) {
            long at = (job_.start(n) + r) * in + k0;
            float* row = to + r * BLOCK;
            if (job_.bytes) {
                const uint8_t* from = (const uint8_t*)job_.x + at;
                if (wide == BLOCK)
                    for (int k = 0; k < BLOCK; k++) row[k] = float(from[k]) * job_.scale + job_.offset;
                else
                    for (int k = 0; k < wide; k++) row[k] = float(from[k]) * job_.scale + job_.offset;
                __builtin_prefetch(from + BLOCK);
            } else {
                const float* from = (const float*)job_.x + at;
                if (job_.scale == 1.f && job_.offset == 0.f)
                    std::memcpy(row, from, wide * 4);
                else
                    for (int k = 0; k < wide; k++) row[k] = from[k] * job_.scale + job_.offset;
            }
        }
    }

    /// Adds a block of features' part of the first layer's sums, for samples r0 to r1 of batch n.
    void first_product(int thread, int r0, int r1, int k0, int k1, bool first, long n) {
        convert(r0, r1, k0, k1, n);
        Layer& k = layers_[0];
        product(Operand{x_ + long(k0 / BLOCK) * BLOCK * wide_, BLOCK, 1}, k.kernel.value + long(k0) * k.wide, k.wide,
                k1 - k0, r0, r1, 0, k.wide, Accumulate{partial_[thread], k.wide, first});
    }

    void samples_phase(int thread, long n) {
        int size = job_.size(n), vectors = (size + LANES - 1) / LANES;
        Range own = share(thread, vectors, 1);
        int b0 = own.from * LANES, b1 = own.to * LANES;
        Samples samples{thread, threads_, b0, b1, size};
        auto wait = [this] { barrier_.wait(); };
        sums_[n & 1][thread] = Sums();
        if (masks_ && threads_ > 1)
            draw_masks(masks_->at(0), samples, n);
        else if (masks_)
            use_masks(masks_->get(n, [&](uint16_t* to, long) { draw_masks(to, samples, n); }));
        through(samples, n);
        loss(thread, n, b0, b1);
        for (size_t l = layers_.size(); l-- > 0;) {
            Layer& k = layers_[l];
            turn(k, b0, b1);
            if (l == 0) break;
            Layer& before = layers_[l - 1];
            bool plain = before.stages.empty();
            product(Operand{k.kernel.value, k.wide, 1}, k.dt, wide_, k.out, 0, k.in, b0, b1,
                    Backward{before.z, before.dt, wide_, plain ? before.kind : LINEAR});
            for (size_t i = before.stages.size(); i-- > 0;)
                backward(before.stages[i], before.inputs_of(i), before.dt, before.out, wide_, samples, wait);
            if (!plain && before.kind != LINEAR) slope(before, b0, b1);
        }
        if (masks_ && threads_ == 1) masks_->give_back(n);
    }

    /// All samples of batch n, for one thread.
    Samples whole_batch(long n) const { return {0, 1, 0, int(padded(job_.size(n))), job_.size(n)}; }

    /// Draws all masks of samples of batch n; they lie one behind the other.
    void draw_masks(uint16_t* to, const Samples& s, long n) {
        for (Layer& k : layers_)
            for (Stage& stage : k.stages)
                if (stage.kind == DROP) draw(stage, to, k.out, wide_, s, n), to += k.wide * wide_ / LANES;
    }

    void use_masks(uint16_t* masks) {
        for (Layer& k : layers_)
            for (Stage& stage : k.stages)
                if (stage.kind == DROP) stage.passed = masks, masks += k.wide * wide_ / LANES;
    }

    /// A thread's samples of batch n through all layers.
    void through(const Samples& s, long n) {
        auto wait = [this] { barrier_.wait(); };
        int in = layers_[0].in;
        for (int k = 0; !by_features_ && k < in; k += BLOCK)
            first_product(0, s.b0, std::min(s.b1, s.size), k, std::min(in, k + BLOCK), k == 0, n);
        first_outputs(s.b0, s.b1);
        for (size_t l = 0; l < layers_.size(); l++) {
            Layer& k = layers_[l];
            if (l)
                product(Operand{k.kernel.value, 1, k.wide}, layers_[l - 1].outputs(), wide_, k.in, 0, k.out, s.b0, s.b1,
                        Forward{k.bias.value, k.z, wide_, k.kind});
            for (size_t i = 0; i < k.stages.size(); i++)
                forward(k.stages[i], k.inputs_of(i), k.out, wide_, s, wait);
        }
    }

    /// Adds the threads' parts of the first layer's sums, transposed, and activates them.
    void first_outputs(int b0, int b1) {
        Layer& k = layers_[0];
        int parts = by_features_ ? threads_ : 1;
        for (int j = 0; j < k.wide; j += LANES)
            for (int b = b0; b < b1; b += LANES) {
                Vector t[LANES];
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++) {
                    long at = long(b + i) * k.wide + j;
                    t[i] = load(partial_[0] + at);
                    for (int p = 1; p < parts; p++) t[i] += load(partial_[p] + at);
                }
                transpose(t);
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++)
                    store(k.z + long(j + i) * wide_ + b, activate(k.kind, t[i] + k.bias.value[j + i]));
            }
    }

    /// Turns the gradients by a layer's activated sums into those by its sums.
    void slope(Layer& k, int b0, int b1) {
        for (int j = 0; j < k.out; j++)
            for (long at = j * wide_ + b0; at < j * wide_ + b1; at += LANES)
                store(k.dt + at, sloped(k.kind, load(k.dt + at), load(k.z + at)));
    }

    /// The gradients by a layer's sums, transposed for the weights phase.
    void turn(Layer& k, int b0, int b1) {
        for (int j = 0; j < k.wide; j += LANES)
            for (int b = b0; b < b1; b += LANES) {
                Vector t[LANES];
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++) t[i] = load(k.dt + long(j + i) * wide_ + b);
                transpose(t);
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++) store(k.d + long(b + i) * k.wide + j, t[i]);
            }
    }

    void loss(int thread, long n, int b0, int b1) {
        Layer& k = layers_.back();
        const Objective& o = job_.objective;
        int size = job_.size(n);
        for (int b = b0; b < b1; b += LANES) {
            int valid = std::min(LANES, size - b);
            long row = job_.start(n) + b;
            Vector weight = splat(1);
            for (int i = 0; job_.importance && i < valid; i++) weight[i] = job_.importance[row + i];
            Vector scale = weight / float(size);
            Vector found = o.head == BINARY    ? binary_head(o, k.z + b, k.dt + b, row, valid, scale)
                           : o.head == SQUARED ? squared_head(o, k.z + b, k.dt + b, wide_, k.out, row, valid, scale)
                                               : softmax_head(o, k.z + b, k.dt + b, wide_, k.out, row, valid, scale);
            found *= weight;
            for (int i = 0; i < valid; i++) sums_[n & 1][thread].loss += found[i];
        }
    }

    /// Counts batch n in, as the metric does: in float32, the batch's mean times its size.
    void count(long n) {
        double loss = 0, penalty = 0;
        for (const Sums& sums : sums_[n & 1]) {
            loss += sums.loss;
            for (int i = 0; i < LANES; i++) penalty += sums.penalty[i];
        }
        float size = float(job_.size(n));
        // After a loss that is not finite no more samples are counted: the count tells the step.
        if (std::isfinite(*job_.loss_total)) *job_.loss_count += size;
        *job_.loss_total += (float(loss / size) + float(penalty)) * size;
    }

    /// Adam's update number t; the corrections in float32, as XLA computes them.
    Adam adam(const Parameter& p, long stride, int thread, long n) {
        double t = double(*job_.iteration) + double(n) + 1;
        float first = 1.f - float(std::pow(double(job_.beta1), t));
        float second = 1.f - float(std::pow(double(job_.beta2), t));
        Adam result;
        result.value = p.value, result.mean = p.mean, result.square = p.square, result.stride = stride;
        result.alpha = job_.rate * (std::sqrt(second) / first);
        result.c1 = job_.c1, result.c2 = job_.c2, result.epsilon = job_.epsilon;
        result.l1 = p.l1, result.l2 = p.l2;
        result.penalty = p.l1 || p.l2 ? &sums_[n & 1][thread].penalty : nullptr;
        return result;
    }

    void weights_phase(int thread, long n) {
        int size = job_.size(n);
        bool more = n + 1 < job_.batches();
        if (thread == 0 && n) count(n - 1);  // all its parts are there since the last barrier
        for (size_t l = layers_.size(); l-- > 0;) {
            Layer& k = layers_[l];
            Range own = share(thread, k.in, l || !by_features_ ? 4 : BLOCK);
            if (thread == threads_ - 1) {
                if (k.biased) update_bias(k, size, thread, n);
                for (Stage& stage : k.stages) update_normalization(stage, k.wide, thread, n);
            }
            Adam update = adam(k.kernel, k.wide, thread, n);
            if (l) {
                product(Operand{layers_[l - 1].outputs(), wide_, 1}, k.d, k.wide, size, own.from, own.to, 0, k.wide, update);
                continue;
            }
            for (int q = own.from, end; q < own.to; q = end) {
                end = std::min(own.to, q / BLOCK * BLOCK + BLOCK);
                const float* block = x_ + long(q / BLOCK) * BLOCK * wide_ - q / BLOCK * BLOCK;
                product(Operand{block, 1, BLOCK}, k.d, k.wide, size, q, end, 0, k.wide, update);
                if (by_features_ && more) first_product(thread, 0, job_.size(n + 1), q, end, q == own.from, n + 1);
            }
        }
    }

    void update_bias(Layer& k, int size, int thread, long n) {
        Adam update = adam(k.bias, k.wide, thread, n);
        for (int j = 0; j < k.wide; j += LANES) {
            Vector g{};
            for (long b = 0; b < size; b++) g += load(k.d + b * k.wide + j);
            update.apply(j, g);
        }
    }

    void update_normalization(Stage& stage, int wide, int thread, long n) {
        Adam gamma = adam(stage.gamma, wide, thread, n), beta = adam(stage.beta, wide, thread, n);
        for (int j = 0; stage.kind == NORMALIZE && j < wide; j += LANES) {
            Vector flow{}, slope{};
            for (const Stage::Moments& m : stage.moments) flow += load(m.flow + j), slope += load(m.slope + j);
            if (stage.gamma.value) gamma.apply(j, slope);
            if (stage.beta.value) beta.apply(j, flow);
        }
    }

    const Job& job_;
    int threads_;
    long wide_, blocks_ = 0;  // the batch padded to whole vectors; blocks of features
    Barrier barrier_;
    std::vector<Layer> layers_;
    std::unique_ptr<Arena> arena_;
    float* x_ = nullptr;  // the converted batch: blocks of features, each batch x BLOCK
    std::vector<float*> partial_;  // the first layer's sums, batch x wide, one part per thread
    bool by_features_ = false;
    std::unique_ptr<Masks> masks_;  // null without dropout
    size_t mask_room_ = 0;
    std::vector<Sums> sums_[2];  // of even and of odd batches, one per thread
};

}  // namespace
