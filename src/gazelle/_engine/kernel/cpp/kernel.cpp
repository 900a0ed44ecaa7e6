// The kernel as XLA calls it: batches of training, in place on the weights, Adam's slots and the loss's sums; and
// predictions.
#include <exception>
#include <system_error>

#include "network.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Numbers = ffi::Span<const int32_t>;
using Reals = ffi::Span<const float>;

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

/// Floats of an argument; null for an empty one.
const float* floats(const ffi::Buffer<ffi::F32>& buffer) {
    return buffer.element_count() ? buffer.typed_data() : nullptr;
}

/// Stages as they come: four numbers (layer, kind, activation, 1 for beta + 2 for gamma) and three reals each (of a
/// normalization epsilon, momentum, 1 - momentum; of dropout the probability to keep).
std::vector<Stage> read_stages(Numbers stages, Reals reals) {
    std::vector<Stage> found;
    for (size_t i = 0; 4 * i < stages.size(); i++) {
        const int32_t* n = stages.begin() + 4 * i;
        const float* r = reals.begin() + 3 * i;
        Stage stage{n[0], n[1]};
        stage.activation = n[2];
        if (stage.kind == DROP) stage.keep = r[0];
        stage.epsilon = r[0], stage.momentum = r[1], stage.rest = r[2];
        found.push_back(stage);
    }
    return found;
}

/// Gives the job its parameters (of each layer kernel, [bias], and of each normalization behind it [gamma], [beta]; in
/// training then their means and their mean squares), the moving moments and, in training, the keys of dropout. They are
/// `arrays` from `first` on; returns how many there are.
size_t give(Job& job, const std::vector<void*>& arrays, size_t first, size_t parameters, Numbers biased, Numbers stages,
            const float* l1, const float* l2) {
    size_t one = 0, other = job.iteration ? 3 * parameters : parameters;
    auto take = [&](size_t i) { return first + i < arrays.size() ? (float*)arrays[first + i] : nullptr; };
    auto next = [&](bool there) {
        if (!there) return Parameter{};
        size_t i = one++;
        if (!job.iteration) return Parameter{take(i)};
        return Parameter{take(i), take(i + parameters), take(i + 2 * parameters), l1[i], l2[i]};
    };
    for (size_t l = 0; l < job.kinds.size(); l++) {
        job.kernels.push_back(next(true));
        job.biases.push_back(next(biased.begin()[l]));
        for (size_t i = 0; i < job.stages.size(); i++) {
            Stage& stage = job.stages[i];
            if (stage.layer != int(l) || stage.kind != NORMALIZE) continue;
            stage.gamma = next(stages.begin()[4 * i + 3] & 2), stage.beta = next(stages.begin()[4 * i + 3] & 1);
            stage.moving_mean = take(other++), stage.moving_variance = take(other++);
        }
    }
    for (Stage& stage : job.stages)
        if (stage.kind == DROP && job.iteration) stage.seed = (uint32_t*)take(other++);
    return one == parameters ? other : 0;
}

/// State: iteration, loss total, loss count, then what `give` takes. Results: the state, then the predictions, an empty
/// array where nobody asks.
ffi::Error train(ffi::AnyBuffer x, ffi::AnyBuffer y, ffi::Buffer<ffi::F32> weights, ffi::Buffer<ffi::S32> plan,
                 ffi::Buffer<ffi::F32> rate, ffi::RemainingArgs arguments, ffi::RemainingRets outputs, Numbers sizes,
                 Numbers kinds, Numbers biased, Numbers stages, Reals reals, Reals l1, Reals l2, int32_t batch,
                 int32_t threads, int32_t aside, int32_t head, int32_t logits, float scale, float offset,
                 float low, float high, float beta1, float beta2, float c1, float c2, float epsilon) {
    size_t layers = kinds.size(), parameters = l1.size();
    if (sizes.size() != layers + 1 || biased.size() != layers || outputs.size() != arguments.size() + 1)
        return ffi::Error::InvalidArgument("gazelle: the number of arrays does not fit the layers");
    std::vector<void*> state = results(arguments, outputs);
    if (state.size() != arguments.size()) return ffi::Error::InvalidArgument("gazelle: an array is missing");
    auto predictions = *outputs.get<ffi::AnyBuffer>(arguments.size());
    int type = y.element_type() == ffi::F32 ? FLOATS : y.element_type() == ffi::S32 ? INTEGERS : BYTES;
    const int32_t* span = plan.typed_data();
    Job job{x.untyped_data(), x.element_type() == ffi::U8, scale, offset,
            Objective{head, logits != 0, low, high, Targets{y.untyped_data(), type},
                      predictions->element_count() ? (float*)predictions->untyped_data() : nullptr},
            span[0], span[1], batch, span[2], threads, aside != 0 && threads == 1,
            rate.typed_data()[0], beta1, beta2, epsilon, c1, c2,
            (int32_t*)state[0], (float*)state[1], (float*)state[2], floats(weights),
            {sizes.begin(), sizes.end()}, {kinds.begin(), kinds.end()}, {}, {}, read_stages(stages, reals)};
    if (job.batches() == 0) return ffi::Error::Success();
    size_t used = 3 + give(job, state, 3, parameters, biased, stages, l1.begin(), l2.begin());
    if (used != state.size())
        return ffi::Error::InvalidArgument("gazelle: the number of arrays does not fit the layers");
    for (;;) try {
            Network(job).train();
            return ffi::Error::Success();
        } catch (const std::system_error& error) {  // a thread cannot be had; nothing was done yet
            if (!job.aside && job.threads == 1) return ffi::Error(ffi::ErrorCode::kResourceExhausted, error.what());
            if (!job.aside) job.threads /= 2;
            job.aside = false;
        } catch (const std::exception& error) {
            return ffi::Error(ffi::ErrorCode::kResourceExhausted, error.what());
        }
}

/// Arguments: what `give` takes.
ffi::Error predict(ffi::AnyBuffer x, ffi::RemainingArgs arguments, ffi::Result<ffi::Buffer<ffi::F32>> y, Numbers sizes,
                   Numbers kinds, Numbers biased, Numbers stages, Reals reals, int32_t parameters, int32_t softmax,
                   int32_t threads, float scale, float offset) {
    constexpr int BATCH = 128;
    std::vector<void*> arrays;
    for (size_t i = 0; i < arguments.size(); i++) arrays.push_back(arguments.get<ffi::AnyBuffer>(i)->untyped_data());
    long rows = y->dimensions()[0], units = sizes.end()[-1];
    long part = ((rows + threads - 1) / threads + BATCH - 1) / BATCH * BATCH;
    std::vector<Job> jobs;  // one a thread
    for (long from = 0; from < rows; from += part) {
        long own = std::min(part, rows - from);
        Job job{};
        job.x = x.untyped_data(), job.bytes = x.element_type() == ffi::U8, job.scale = scale, job.offset = offset;
        job.row = from, job.whole = own / BATCH, job.batch = BATCH, job.tail = own % BATCH, job.threads = 1;
        job.sizes = {sizes.begin(), sizes.end()}, job.kinds = {kinds.begin(), kinds.end()};
        job.stages = read_stages(stages, reals);
        if (give(job, arrays, 0, parameters, biased, stages, nullptr, nullptr) != arrays.size())
            return ffi::Error::InvalidArgument("gazelle: the number of arrays does not fit the layers");
        jobs.push_back(job);
    }
    try {
        std::vector<std::unique_ptr<Network>> networks;
        for (const Job& job : jobs) networks.push_back(std::make_unique<Network>(job));
        auto share = [&](int i) { networks[i]->predict(y->typed_data() + jobs[i].row * units, softmax); };
        try {
            together(int(jobs.size()), share);
        } catch (const std::system_error&) {  // a thread cannot be had; nothing was done yet
            for (int i = 0; i < int(jobs.size()); i++) share(i);
        }
    } catch (const std::exception& error) {
        return ffi::Error(ffi::ErrorCode::kResourceExhausted, error.what());
    }
    return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(gazelle_predict, predict,
                              ffi::Ffi::Bind()
                                  .Arg<ffi::AnyBuffer>()
                                  .RemainingArgs()
                                  .Ret<ffi::Buffer<ffi::F32>>()
                                  .Attr<Numbers>("sizes")
                                  .Attr<Numbers>("kinds")
                                  .Attr<Numbers>("biased")
                                  .Attr<Numbers>("stages")
                                  .Attr<Reals>("reals")
                                  .Attr<int32_t>("parameters")
                                  .Attr<int32_t>("softmax")
                                  .Attr<int32_t>("threads")
                                  .Attr<float>("scale")
                                  .Attr<float>("offset"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(gazelle_train, train,
                              ffi::Ffi::Bind()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::Buffer<ffi::S32>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<Numbers>("sizes")
                                  .Attr<Numbers>("kinds")
                                  .Attr<Numbers>("biased")
                                  .Attr<Numbers>("stages")
                                  .Attr<Reals>("reals")
                                  .Attr<Reals>("l1")
                                  .Attr<Reals>("l2")
                                  .Attr<int32_t>("batch")
                                  .Attr<int32_t>("threads")
                                  .Attr<int32_t>("aside")
                                  .Attr<int32_t>("head")
                                  .Attr<int32_t>("logits")
                                  .Attr<float>("scale")
                                  .Attr<float>("offset")
                                  .Attr<float>("low")
                                  .Attr<float>("high")
                                  .Attr<float>("beta1")
                                  .Attr<float>("beta2")
                                  .Attr<float>("c1")
                                  .Attr<float>("c2")
                                  .Attr<float>("epsilon"));
