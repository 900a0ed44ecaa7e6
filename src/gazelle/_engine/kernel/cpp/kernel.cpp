// The kernel as XLA calls it: training, in place on the weights, Adam's slots and the loss's sums; and
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

/// Which batches a call takes, as `Span` in span.py packs it.
struct Span {
    int32_t row, batches, tail;
    int32_t fresh;  // whether the metrics are reset, which the program around the call does itself
};

/// The attributes of a call of `train`, by the names that plan.py gives them.
struct Training {
    Numbers sizes, kinds, biased, stages;
    Reals reals;
    float scale, offset;
    Reals l1, l2;  // factors of each parameter's penalty
    int32_t batch, threads, aside;
    int32_t head, logits;
    float low, high;  // to which probabilities are clipped
    float beta1, beta2, c1, c2, epsilon;
};

ffi::Error misfit(const char* what) {
    return ffi::Error::InvalidArgument(std::string("gazelle: ") + what);
}

TargetType type_of(const ffi::AnyBuffer& targets) {
    if (targets.element_type() == ffi::F32) return FLOATS;
    return targets.element_type() == ffi::S32 ? INTEGERS : BYTES;
}

/// Trains, on fewer threads where the system has no more to give; nothing was done when it says so.
ffi::Error train(Job& job) {
    for (;;) try {
            Network(job).train();
            return ffi::Error::Success();
        } catch (const std::system_error& error) {
            if (!job.aside && job.threads == 1)
                return ffi::Error(ffi::ErrorCode::kResourceExhausted, error.what());
            if (!job.aside) job.threads /= 2;
            job.aside = false;
        } catch (const std::exception& error) {
            return ffi::Error(ffi::ErrorCode::kResourceExhausted, error.what());
        }
}

/// State: iteration, sum and count of the loss, then what `give` takes. Results: the state, then the predictions (an
/// empty array if they are not wanted).
ffi::Error train_call(ffi::AnyBuffer x, ffi::AnyBuffer y, ffi::Buffer<ffi::F32> importance,
                      ffi::Buffer<ffi::S32> packed_span, ffi::Buffer<ffi::F32> rate, ffi::RemainingArgs arguments,
                      ffi::RemainingRets outputs, Training given) {
    size_t layers = given.kinds.size(), parameters = given.l1.size();
    if (given.sizes.size() != layers + 1 || given.biased.size() != layers || outputs.size() != arguments.size() + 1)
        return misfit("the number of arrays does not fit the layers");
    if (packed_span.size_bytes() != sizeof(Span)) return misfit("the span has another size");
    std::vector<void*> state = results(arguments, outputs);
    if (state.size() != arguments.size()) return misfit("an array is missing");
    auto predictions = *outputs.get<ffi::AnyBuffer>(arguments.size());
    Span span;
    std::memcpy(&span, packed_span.typed_data(), sizeof span);
    Job job{
        .x = x.untyped_data(),
        .bytes = x.element_type() == ffi::U8,
        .scale = given.scale,
        .offset = given.offset,
        .objective = {
            .head = given.head,
            .logits = given.logits != 0,
            .low = given.low,
            .high = given.high,
            .targets = {y.untyped_data(), type_of(y)},
            .predictions = predictions->element_count() ? (float*)predictions->untyped_data() : nullptr,
        },
        .row = span.row,
        .whole = span.batches,
        .batch = given.batch,
        .tail = span.tail,
        .threads = given.threads,
        .aside = given.aside != 0 && given.threads == 1,
        .rate = rate.typed_data()[0],
        .beta1 = given.beta1,
        .beta2 = given.beta2,
        .epsilon = given.epsilon,
        .c1 = given.c1,
        .c2 = given.c2,
        .iteration = (int32_t*)state[0],
        .loss_total = (float*)state[1],
        .loss_count = (float*)state[2],
        .importance = floats(importance),
        .sizes = {given.sizes.begin(), given.sizes.end()},
        .kinds = {given.kinds.begin(), given.kinds.end()},
        .stages = read_stages(given.stages, given.reals),
    };
    if (job.batches() == 0) return ffi::Error::Success();
    size_t used = 3 + give(job, state, 3, parameters, given.biased, given.stages, given.l1.begin(), given.l2.begin());
    if (used != state.size()) return misfit("the number of arrays does not fit the layers");
    return train(job);
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
    std::vector<Job> jobs;  // one per thread
    for (long from = 0; from < rows; from += part) {
        long own = std::min(part, rows - from);
        Job job{};
        job.x = x.untyped_data(), job.bytes = x.element_type() == ffi::U8, job.scale = scale, job.offset = offset;
        job.row = from, job.whole = own / BATCH, job.batch = BATCH, job.tail = own % BATCH, job.threads = 1;
        job.sizes = {sizes.begin(), sizes.end()}, job.kinds = {kinds.begin(), kinds.end()};
        job.stages = read_stages(stages, reals);
        if (give(job, arrays, 0, parameters, biased, stages, nullptr, nullptr) != arrays.size())
            return misfit("the number of arrays does not fit the layers");
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

XLA_FFI_REGISTER_STRUCT_ATTR_DECODING(
    Training, ffi::StructMember<Numbers>("sizes"), ffi::StructMember<Numbers>("kinds"),
    ffi::StructMember<Numbers>("biased"), ffi::StructMember<Numbers>("stages"), ffi::StructMember<Reals>("reals"),
    ffi::StructMember<float>("scale"), ffi::StructMember<float>("offset"), ffi::StructMember<Reals>("l1"),
    ffi::StructMember<Reals>("l2"), ffi::StructMember<int32_t>("batch"), ffi::StructMember<int32_t>("threads"),
    ffi::StructMember<int32_t>("aside"), ffi::StructMember<int32_t>("head"), ffi::StructMember<int32_t>("logits"),
    ffi::StructMember<float>("low"), ffi::StructMember<float>("high"), ffi::StructMember<float>("beta1"),
    ffi::StructMember<float>("beta2"), ffi::StructMember<float>("c1"), ffi::StructMember<float>("c2"),
    ffi::StructMember<float>("epsilon"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(gazelle_train, train_call,
                              ffi::Ffi::Bind()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::Buffer<ffi::S32>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attrs<Training>());
