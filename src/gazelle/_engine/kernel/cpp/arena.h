// Memory of one call.
#pragma once
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace {

/// One piece of memory for everything, on huge pages where that pays.
class Arena {
   public:
    explicit Arena(size_t bytes) {
        constexpr size_t huge = 2 << 20;
        size_t unit = bytes >= huge ? huge : 128;
        bytes = (bytes + unit - 1) / unit * unit;
        base_ = at_ = (char*)std::aligned_alloc(unit, bytes);
        if (!base_) throw std::bad_alloc();
        if (unit == huge) madvise(base_, bytes, MADV_HUGEPAGE);
    }
    ~Arena() { std::free(base_); }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    static size_t room(size_t floats) { return (floats * 4 + 127) & ~size_t(127); }
    float* zeros(size_t floats) {
        float* p = (float*)at_;
        at_ += room(floats);
        std::memset(p, 0, floats * 4);
        return p;
    }

   private:
    char *base_, *at_;
};

}  // namespace
