// Threads that live within one call, and the barrier at which they meet.
#pragma once
#include <immintrin.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr int SPINS = 500;  // some microseconds; a thread that waits longer sleeps: the other may have lost its core

class Barrier {
   public:
    explicit Barrier(int threads) : threads_(threads) {}

    void wait() {
        if (threads_ == 1) return;
        int now = turn_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
            arrived_.store(0, std::memory_order_relaxed);
            bool wake;
            {
                std::lock_guard<std::mutex> held(lock_);
                turn_.store(now + 1, std::memory_order_release);
                wake = asleep_ > 0;
            }
            if (wake) open_.notify_all();
            return;
        }
        for (int i = 0; i < SPINS; i++) {
            if (turn_.load(std::memory_order_acquire) != now) return;
            _mm_pause();
        }
        std::unique_lock<std::mutex> held(lock_);
        asleep_++;
        open_.wait(held, [&] { return turn_.load(std::memory_order_acquire) != now; });
        asleep_--;
    }

   private:
    int threads_, asleep_ = 0;
    alignas(128) std::atomic<int> arrived_{0};
    alignas(128) std::atomic<int> turn_{0};
    std::mutex lock_;
    std::condition_variable open_;
};

/// `work(0)` here and `work(1)`, ... on further threads, which have ended when this returns. Throws
/// std::system_error, with no work done, where a thread cannot be had.
template <class Work>
void together(int threads, Work work) {
    std::vector<std::thread> helpers;
    std::mutex gate;
    bool called_off = false;
    std::unique_lock<std::mutex> closed(gate);
    auto join = [&] {
        closed.unlock();
        for (std::thread& helper : helpers) helper.join();
    };
    try {
        for (int i = 1; i < threads; i++)
            helpers.emplace_back([&, i] {
                { std::lock_guard<std::mutex> passed(gate); }
                if (!called_off) work(i);
            });
    } catch (...) {
        called_off = true;
        join();
        throw;
    }
    closed.unlock();
    work(0);
    for (std::thread& helper : helpers) helper.join();
}

}  // namespace
