"""`tf.data`: pipelines, and how `fit` takes them."""

import numpy as np
import pytest

import gazelle.compat
from gazelle._data.feeds import ArrayFeed, StreamFeed, as_feed
from gazelle.errors import ArgumentError, ShapeError


@pytest.fixture(scope="module")
def tf():
    gazelle.compat.install()
    import tensorflow

    yield tensorflow
    gazelle.compat.uninstall()


@pytest.fixture
def xy():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 4)).astype("f"), rng.integers(0, 2, 50).astype("i4")


def numbers(dataset):
    return [int(one) for one in dataset.as_numpy_iterator()]


# ---- Elements ----


def test_structures_are_kept(tf, xy):
    x, y = xy
    dataset = tf.data.Dataset.from_tensor_slices({"a": x, "b": (y, y)})
    element = next(iter(dataset))
    assert set(element) == {"a", "b"}
    assert isinstance(element["b"], tuple)
    assert element["a"].numpy().tolist() == x[0].tolist()
    assert dataset.element_spec["a"] == tf.TensorSpec((4,), tf.float32)
    assert dataset.batch(8).element_spec["b"][1] == tf.TensorSpec((None,), tf.int32)


def test_text_in_a_pipeline(tf):
    dataset = tf.data.Dataset.from_tensor_slices((["a b", "c"], [0, 1]))
    dataset = dataset.map(lambda text, label: (tf.strings.upper(text), label + 1))
    found = [(text.numpy(), int(label)) for text, label in dataset]
    assert found == [(b"A B", 1), (b"C", 2)]
    batch = next(iter(dataset.batch(2)))
    assert batch[0].numpy().tolist() == [b"A B", b"C"]


def test_unequal_lengths_are_refused(tf, xy):
    with pytest.raises(ShapeError, match="one length"):
        tf.data.Dataset.from_tensor_slices((xy[0], xy[1][:-1]))


def test_a_table_of_pandas(tf):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"age": [1, 2], "name": ["a", "b"]})
    dataset = tf.data.Dataset.from_tensor_slices((dict(table), [0, 1]))
    features, _ = next(iter(dataset.batch(2)))
    assert features["age"].numpy().tolist() == [1, 2]
    assert features["name"].numpy().tolist() == [b"a", b"b"]


def test_a_generator_begins_again_in_every_pass(tf):
    def generate():
        for number in range(3):
            yield [number, number], number * 2

    dataset = tf.data.Dataset.from_generator(generate, (tf.float32, tf.int32), ((2,), ()))
    for _ in range(2):
        found = [(a.numpy().tolist(), int(b)) for a, b in dataset]
        assert found == [([0.0, 0.0], 0), ([1.0, 1.0], 2), ([2.0, 2.0], 4)]
    signature = (tf.TensorSpec((2,), tf.float32), tf.TensorSpec((), tf.int32))
    again = tf.data.Dataset.from_generator(generate, output_signature=signature)
    assert next(iter(again.batch(3)))[0].shape == (3, 2)


# ---- Functions of elements ----


def test_a_function_of_rows_is_called_on_many_at_once(tf):
    calls = []

    def double(number):
        calls.append(number)
        return number * 2

    dataset = tf.data.Dataset.range(1000).map(double, num_parallel_calls=tf.data.AUTOTUNE)
    assert numbers(dataset) == list(range(0, 2000, 2))
    assert len(calls) < 10  # its Python code runs when it is traced


def test_a_function_that_draws_is_called_on_every_element(tf):
    dataset = tf.data.Dataset.range(20).map(lambda _: tf.random.uniform(()))
    found = [float(one) for one in dataset]
    assert len(set(found)) == 20
    assert [float(one) for one in dataset] != found


def test_a_function_that_asks_for_values_is_called_on_every_element(tf):
    def change(number):
        return number + 100 if number > 2 else number

    assert numbers(tf.data.Dataset.range(5).map(change)) == [0, 1, 2, 103, 104]


def test_a_function_reads_variables_as_they_are(tf):
    factor = tf.Variable(2)
    dataset = tf.data.Dataset.range(3).map(lambda number: number * factor)
    assert numbers(dataset) == [0, 2, 4]
    factor.assign(10)
    assert numbers(dataset) == [0, 10, 20]


def test_a_function_of_numpys(tf):
    def change(number):
        return tf.numpy_function(lambda array: array + 1, [number], tf.int64)

    assert numbers(tf.data.Dataset.range(3).map(change)) == [1, 2, 3]


def test_a_function_of_batches(tf, xy):
    x, y = xy
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    dataset = dataset.map(lambda a, b: (a / 2, tf.one_hot(b, 2)))
    found = np.concatenate([a for a, _ in dataset.as_numpy_iterator()])
    np.testing.assert_allclose(found, x / 2)
    assert [b.shape for _, b in dataset.as_numpy_iterator()] == [(16, 2)] * 3 + [(2, 2)]


# ---- Orders ----


def test_shuffling(tf):
    dataset = tf.data.Dataset.range(100).shuffle(100)
    first, second = numbers(dataset), numbers(dataset)
    assert sorted(first) == list(range(100))
    assert first != second
    fixed = tf.data.Dataset.range(100).shuffle(100, seed=1, reshuffle_each_iteration=False)
    assert numbers(fixed) == numbers(fixed) != list(range(100))
    near = numbers(tf.data.Dataset.range(100).shuffle(3))
    assert all(number <= place + 3 for place, number in enumerate(near))


def test_the_global_seed_makes_orders_repeatable(tf):
    def order():
        tf.random.set_seed(7)
        return numbers(tf.data.Dataset.range(50).shuffle(50))

    assert order() == order()


def test_orders_of_orders(tf):
    dataset = tf.data.Dataset.range(10).skip(2).shard(2, 1).repeat(2).take(5)
    assert numbers(dataset) == [3, 5, 7, 9, 3]
    assert len(dataset) == 5
    endless = tf.data.Dataset.range(3).repeat()
    assert numbers(endless.take(7)) == [0, 1, 2, 0, 1, 2, 0]
    batches = [b.tolist() for b in endless.batch(4).take(2).as_numpy_iterator()]
    assert batches == [[0, 1, 2, 0], [1, 2, 0, 1]]


def test_a_cache_keeps_results(tf):
    calls = []

    def note(number):
        calls.append(int(number))
        return number

    dataset = tf.data.Dataset.range(4).map(lambda n: tf.py_function(note, [n], tf.int64)).cache()
    assert numbers(dataset) == numbers(dataset) == [0, 1, 2, 3]
    assert calls == [0, 1, 2, 3]


def test_lengths(tf):
    dataset = tf.data.Dataset.range(5)
    assert len(dataset.batch(2, drop_remainder=True)) == 2
    with pytest.raises(TypeError, match="infinite or its length is unknown"):
        len(dataset.repeat())
    assert int(dataset.map(lambda n: n).cardinality()) == 5


def test_several_data_sets(tf):
    one, two = tf.data.Dataset.range(3), tf.data.Dataset.range(10, 20)
    zipped = tf.data.Dataset.zip((one, two.shuffle(10)))
    assert len(zipped) == 3
    assert [int(a) for a, _ in zipped] == [0, 1, 2]
    assert numbers(one.concatenate(two.take(1))) == [0, 1, 2, 10]


def test_files(tf, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"{name}1\n{name}2\n", encoding="utf-8")
    files = tf.data.Dataset.list_files(str(tmp_path / "*.txt"), shuffle=False)
    lines = files.flat_map(tf.data.TextLineDataset)
    assert [line.numpy() for line in lines] == [b"a1", b"a2", b"b1", b"b2"]
    contents = [tf.io.read_file(file).numpy() for file in files]
    assert contents[0] == b"a1\na2\n"
    with pytest.raises(ArgumentError, match="No files"):
        tf.data.Dataset.list_files(str(tmp_path / "*.csv"))


def test_a_table_in_a_file(tf, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("age,name,label\n1,a,0\n2,b,1\n,c,1\n", encoding="utf-8")
    dataset = tf.data.experimental.make_csv_dataset(
        str(path), batch_size=3, label_name="label", num_epochs=1, shuffle=False
    )
    features, label = next(iter(dataset))
    assert features["age"].numpy().tolist() == [1, 2, 0]
    assert features["name"].numpy().tolist() == [b"a", b"b", b"c"]
    assert label.numpy().tolist() == [0, 1, 1]


# ---- How fit takes them ----


def test_batches_of_rows_are_taken_as_arrays(tf, xy):
    dataset = tf.data.Dataset.from_tensor_slices(xy)
    mapped = dataset.map(lambda a, b: (a * 2, b))
    assert isinstance(as_feed(dataset.batch(8)), ArrayFeed)
    assert isinstance(as_feed(mapped.shuffle(50).batch(8).prefetch(1), shuffle=True), ArrayFeed)
    assert isinstance(as_feed(dataset.shuffle(50).batch(8)), StreamFeed)  # as predict reads it
    assert isinstance(as_feed(dataset.repeat().batch(8)), StreamFeed)
    assert isinstance(as_feed(dataset.batch(8), steps=2), StreamFeed)


def test_a_feed_has_the_rows_of_the_pipeline(tf, xy):
    x, y = xy
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).filter(lambda a, b: b == 1)
    count = int(y.sum())
    feed = as_feed(dataset.batch(8, drop_remainder=True))
    rows = np.concatenate([feed.batch(i, feed.order())[0] for i in range(feed.batches)])
    np.testing.assert_array_equal(rows, x[y == 1][: count // 8 * 8])
    shuffled = as_feed(dataset.shuffle(50).batch(8, drop_remainder=True), shuffle=True)
    assert shuffled.samples == count // 8 * 8
    assert set(shuffled.order()) <= set(np.flatnonzero(y == 1))


def make_model(keras):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize(
    "pipeline",
    [
        lambda tf, x, y: tf.data.Dataset.from_tensor_slices((x, y)).batch(16),
        lambda tf, x, y: tf.data.Dataset.from_tensor_slices((x, y)).cache().batch(16).prefetch(2),
        lambda tf, x, y: (
            tf.data.Dataset.from_tensor_slices((x, y)).batch(16).map(lambda a, b: (a, b))
        ),
        lambda tf, x, y: tf.data.Dataset.zip(
            (tf.data.Dataset.from_tensor_slices(x), tf.data.Dataset.from_tensor_slices(y))
        ).batch(16),
    ],
)
def test_fit_evaluate_and_predict_as_with_arrays(tf, xy, pipeline):
    x, y = xy
    by_arrays, by_pipeline = make_model(tf.keras), make_model(tf.keras)
    dataset = pipeline(tf, x, y)
    wanted = by_arrays.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history
    found = by_pipeline.fit(dataset, epochs=2, verbose=0, validation_data=dataset).history
    np.testing.assert_allclose(found["loss"], wanted["loss"], rtol=1e-5)
    np.testing.assert_allclose(
        by_pipeline.evaluate(dataset, verbose=0), by_arrays.evaluate(x, y, verbose=0), rtol=1e-5
    )
    np.testing.assert_allclose(
        by_pipeline.predict(dataset, verbose=0), by_arrays.predict(x, verbose=0), rtol=1e-4
    )


def test_shuffled_rows_train_with_their_targets(tf):
    x = np.random.default_rng(0).normal(size=(200, 4)).astype("f")
    y = (x[:, 0] > 0).astype("i4")
    model = make_model(tf.keras)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(200).batch(16)
    model.optimizer.learning_rate = 1.0
    assert model.fit(dataset, epochs=20, verbose=0).history["accuracy"][-1] > 0.95


def test_endless_data_with_steps(tf, xy):
    model = make_model(tf.keras)
    dataset = tf.data.Dataset.from_tensor_slices(xy).shuffle(50).repeat().batch(16)
    history = model.fit(dataset, epochs=2, steps_per_epoch=5, verbose=0).history
    assert len(history["loss"]) == 2
    assert int(model.optimizer.iterations) == 10


def test_a_sample_weight_is_the_third_part(tf, xy):
    x, y = xy
    weight = np.linspace(0, 1, 50).astype("f")
    one, two = make_model(tf.keras), make_model(tf.keras)
    one.fit(x, y, sample_weight=weight, batch_size=50, shuffle=False, verbose=0)
    two.fit(tf.data.Dataset.from_tensor_slices((x, y, weight)).batch(50), verbose=0)
    np.testing.assert_allclose(one.get_weights()[0], two.get_weights()[0], rtol=1e-5)
