// Dropout's masks, drawn ahead by a thread beside the one that trains: they depend on no numbers of the training.
#pragma once
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "stages.h"

namespace {

/// The masks of the next batches, in a ring of slots.
///
/// A slot is for batch n, then for n + DEPTH, and so on. Its state is 3n before the masks of batch n are drawn, 3n + 1
/// while they are, 3n + 2 once they are there. The training thread draws those that no thread has begun to draw.
class Masks {
   public:
    static constexpr long DEPTH = 32;
    static constexpr long FEWEST = 8;  // batches from which on another thread is worth its start

    explicit Masks(size_t room) : room_(room), bits_(DEPTH * room), states_(DEPTH) {
        for (long n = 0; n < DEPTH; n++) states_[n].value = 3 * n;
    }
    Masks(const Masks&) = delete;

    /// The masks of batch n, drawn by `draw(bits, n)` here or elsewhere.
    template <class Draw>
    uint16_t* get(long n, Draw draw) {
        std::atomic<long>& state = states_[n % DEPTH].value;
        if (!draw_if_free(n, draw))
            while (state.load(std::memory_order_acquire) != 3 * n + 2) std::this_thread::yield();
        return at(n);
    }

    uint16_t* at(long n) { return bits_.data() + n % DEPTH * room_; }

    /// Batch n is done.
    void give_back(long n) { states_[n % DEPTH].value.store(3 * (n + DEPTH), std::memory_order_release); }

    /// Draws for all batches, as far ahead as there are slots.
    template <class Draw>
    void draw_ahead(long batches, Draw draw) {
        for (long n = 0; n < batches; n++) {
            while (states_[n % DEPTH].value.load(std::memory_order_acquire) < 3 * n)
                std::this_thread::sleep_for(std::chrono::microseconds(50));
            draw_if_free(n, draw);
        }
    }

   private:
    struct alignas(128) State {
        std::atomic<long> value;
    };

    template <class Draw>
    bool draw_if_free(long n, Draw draw) {
        std::atomic<long>& state = states_[n % DEPTH].value;
        long free = 3 * n;
        if (!state.compare_exchange_strong(free, 3 * n + 1, std::memory_order_acquire)) return false;
        draw(at(n), n);
        state.store(3 * n + 2, std::memory_order_release);
        return true;
    }

    size_t room_;
    std::vector<uint16_t> bits_;
    std::vector<State> states_;
};

}  // namespace
