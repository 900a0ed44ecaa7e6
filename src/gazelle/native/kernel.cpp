// The kernel as XLA calls it: batches of training, in place on the weights, Adam's slots and the metrics' sums.
#include <exception>

#include "network.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Numbers = ffi::Span<const int32_t>;

/// The results, each with the value of the argument that it stands for (XLA gives both the same memory).
std::vector<void*> results(ffi::RemainingArgs arguments, ffi::RemainingRets outputs) {
    std::vector<void*> found;
    for (size_t i = 0; i < arguments.size(); i++) {
        auto from = arguments.get<ffi::AnyBuffer>(i);
        auto to = outputs.get<ffi::AnyBuffer>(i);
        if (!from || !to) return {};
        if ((*to)->untyped_data() != from->untyped_data())
            std::memcpy((*to)->untyped_data(), from->untyped_data(), from->size_bytes());
        found.push_back((*to)->untyped_data());
    }
    return found;
}

/// State: iteration, loss total, loss count, [accuracy total, accuracy count], then the weights (kernel, [bias] of each
/// layer), their means and their mean squares.
ffi::Error train(ffi::AnyBuffer x, ffi::AnyBuffer y, ffi::Buffer<ffi::S32> plan, ffi::Buffer<ffi::F32> rate,
                 ffi::RemainingArgs arguments, ffi::RemainingRets outputs, Numbers sizes, Numbers kinds, Numbers biased,
                 int32_t batch, int32_t tail, int32_t threads, int32_t head, int32_t logits, int32_t accuracy,
                 float scale, float offset, float low, float high, float beta1, float beta2, float c1, float c2,
                 float epsilon) {
    size_t layers = kinds.size(), fixed = accuracy ? 5 : 3, weights = layers;
    for (int32_t one : biased) weights += one != 0;
    if (sizes.size() != layers + 1 || biased.size() != layers || arguments.size() != fixed + 3 * weights)
        return ffi::Error::InvalidArgument("gazelle: the number of arrays does not fit the layers");
    std::vector<void*> state = results(arguments, outputs);
    if (state.size() != arguments.size()) return ffi::Error::InvalidArgument("gazelle: an array is missing");
    int type = y.element_type() == ffi::F32 ? FLOATS : y.element_type() == ffi::S32 ? INTEGERS : BYTES;
    const int32_t* span = plan.typed_data();
    auto number = [&](size_t i) { return i < fixed ? (float*)state[i] : nullptr; };
    Job job{x.untyped_data(), x.element_type() == ffi::U8, scale, offset,
            Objective{head, logits != 0, low, high, Targets{y.untyped_data(), type}},
            span[0], span[1], batch, span[2] ? tail : 0, threads,
            rate.typed_data()[0], beta1, beta2, epsilon, c1, c2,
            (int32_t*)state[0], number(1), number(2), number(3), number(4),
            {sizes.begin(), sizes.end()}, {kinds.begin(), kinds.end()}, {}, {}};
    if (job.batches() == 0) return ffi::Error::Success();
    size_t at = fixed;
    auto next = [&] {
        Parameter found{(float*)state[at], (float*)state[at + weights], (float*)state[at + 2 * weights]};
        at++;
        return found;
    };
    for (size_t l = 0; l < layers; l++) {
        job.kernels.push_back(next());
        job.biases.push_back(biased.begin()[l] ? next() : Parameter{});
    }
    try {
        Network(job).train();
    } catch (const std::exception& error) {
        return ffi::Error(ffi::ErrorCode::kResourceExhausted, error.what());
    }
    return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(gazelle_train, train,
                              ffi::Ffi::Bind()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::Buffer<ffi::S32>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<Numbers>("sizes")
                                  .Attr<Numbers>("kinds")
                                  .Attr<Numbers>("biased")
                                  .Attr<int32_t>("batch")
                                  .Attr<int32_t>("tail")
                                  .Attr<int32_t>("threads")
                                  .Attr<int32_t>("head")
                                  .Attr<int32_t>("logits")
                                  .Attr<int32_t>("accuracy")
                                  .Attr<float>("scale")
                                  .Attr<float>("offset")
                                  .Attr<float>("low")
                                  .Attr<float>("high")
                                  .Attr<float>("beta1")
                                  .Attr<float>("beta2")
                                  .Attr<float>("c1")
                                  .Attr<float>("c2")
                                  .Attr<float>("epsilon"));
